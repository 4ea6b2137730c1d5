// A long text that people carry elsewhere, by hand or as a file.
import { copyText, saveFile } from "bes-draw";

export default {
  template: `
    <div class="bes-copy">
      <pre ref="text" class="bes-raw" tabindex="0" :data-testid="test">{{ text }}</pre>
      <div class="bes-copy-acts">
        <button type="button" class="bes-button bes-small" :data-testid="'copy-' + test" @click="copy"><span role="status">{{ said }}</span></button>
        <button v-if="file" type="button" class="bes-button bes-small" :data-testid="'save-' + test" :title="file" @click="save">Save as a file</button>
      </div>
    </div>`,
  props: { text: String, test: String, file: String, binary: Boolean },
  data: () => ({ said: "Copy" }),
  methods: {
    copy() {
      copyText(this, this.$refs.text);
    },
    save() {
      saveFile(this.file, this.text, this.binary);
    },
  },
};
