// Lines of plain text that the server has put into words.
import { listen, release } from "bes-draw";

export default {
  template: `<div class="bes-sentences"><p v-for="line in lines" :key="line" class="bes-text">{{ line }}</p></div>`,
  props: { first: Object, topic: String },
  data() {
    return { lines: this.first.lines };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.lines = content.lines));
  },
  unmounted() {
    release(this);
  },
};
