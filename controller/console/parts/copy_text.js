// A long text that people carry elsewhere, by hand or as a file.
import { copyText, listen, release, saveFile } from "bes-draw";

export default {
  template: `
    <p v-if="!shown" class="bes-text" :data-testid="test">{{ empty }}</p>
    <div v-else class="bes-copy">
      <pre ref="text" class="bes-raw" tabindex="0" :data-testid="test">{{ shown }}</pre>
      <div class="bes-copy-acts">
        <button type="button" class="bes-button bes-small" :data-testid="'copy-' + test" @click="copy"><span role="status">{{ said }}</span></button>
        <button v-if="file" type="button" class="bes-button bes-small" :data-testid="'save-' + test" :title="file" @click="save">Save as a file</button>
      </div>
    </div>`,
  props: { text: String, test: String, file: String, binary: Boolean, topic: String, empty: String },
  data: () => ({ said: "Copy", later: null }),
  computed: {
    shown() {
      return this.later === null ? this.text : this.later;
    },
  },
  mounted() {
    if (this.topic) listen(this, this.topic, (content) => (this.later = content.text));
  },
  unmounted() {
    release(this);
  },
  methods: {
    copy() {
      copyText(this, this.$refs.text);
    },
    save() {
      saveFile(this.file, this.shown, this.binary);
    },
  },
};
