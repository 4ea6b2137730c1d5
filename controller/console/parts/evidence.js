// What a device itself answered last, as it came; never taken for markup.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div data-testid="evidence">
      <p v-if="!items.length" class="bes-text">Nothing kept. “Read again now” asks the device and keeps its reply.</p>
      <template v-for="item in items" :key="item.head">
        <p class="bes-hint">{{ item.head }}</p>
        <pre class="bes-raw" tabindex="0">{{ item.reply }}</pre>
      </template>
    </div>`,
  props: { first: Object, topic: String },
  data() {
    return { items: this.first.items };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.items = content.items));
  },
  unmounted() {
    release(this);
  },
};
