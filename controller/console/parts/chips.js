// The search as chips: what is asked, each removable, and the conditions with how many miners stand in them.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div class="bes-chips" role="group" aria-label="Filters">
      <a v-for="term in terms" :key="term.text" class="bes-on" :href="term.without" :aria-label="'Remove ' + term.text">{{ term.text }} <span aria-hidden="true">&times;</span></a>
      <template v-for="item in conditions" :key="item.word">
        <a v-if="item.number && !asked.includes(item.word)" :href="item.href" :data-testid="'chip-' + item.word">{{ item.label }} <b>{{ item.count }}</b></a>
      </template>
    </div>`,
  props: { terms: Array, asked: Array, first: Object, topic: String },
  data() {
    return { conditions: this.first.conditions };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.conditions = content.conditions));
  },
  unmounted() {
    release(this);
  },
};
