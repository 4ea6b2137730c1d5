// A long text that people carry elsewhere.
import { copyText } from "bes-draw";

export default {
  template: `
    <div class="bes-copy">
      <pre ref="text" class="bes-raw" tabindex="0" :data-testid="test">{{ text }}</pre>
      <button type="button" class="bes-button bes-small" :data-testid="'copy-' + test" @click="copy"><span role="status">{{ said }}</span></button>
    </div>`,
  props: { text: String, test: String },
  data: () => ({ said: "Copy" }),
  methods: {
    copy() {
      copyText(this, this.$refs.text);
    },
  },
};
