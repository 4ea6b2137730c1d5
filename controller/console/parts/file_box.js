// What came back from another machine: chosen as a file or pasted, and in whose name.
import { listen, readFile, release } from "bes-draw";

const MOST = 700000;

export default {
  template: `
    <div>
      <p class="bes-text" data-testid="file-state">{{ now.text }}</p>
      <form v-if="spends && now.names.length" class="bes-seal" @submit.prevent="send">
        <label v-if="now.ask">{{ now.ask }}
          <select class="bes-field" v-model="name" data-testid="file-name"><option v-for="one in now.names" :key="one" :value="one">{{ one }}</option></select>
        </label>
        <label class="bes-button bes-small bes-file"><span>Choose the file</span><input type="file" data-testid="file" @change="choose"></label>
        <label>{{ now.label }}
          <textarea class="bes-field" v-model="text" rows="3" maxlength="700000" spellcheck="false" autocomplete="off" data-testid="file-text"></textarea>
        </label>
        <p v-if="said" class="bes-hint" role="status" data-testid="file-said">{{ said }}</p>
        <button class="bes-button bes-primary bes-order" :disabled="!text.trim()" data-testid="file-send">{{ now.action }}</button>
      </form>
    </div>`,
  props: { first: Object, topic: String, spends: Boolean },
  emits: ["file"],
  data() {
    return { now: this.first, name: this.first.names[0] || "", text: "", said: "" };
  },
  mounted() {
    if (this.topic) listen(this, this.topic, (content) => this.show(content));
  },
  unmounted() {
    release(this);
  },
  methods: {
    show(content) {
      this.now = content;
      if (!content.names.includes(this.name)) this.name = content.names[0] || "";
    },
    async choose(event) {
      const file = event.target.files[0];
      event.target.value = "";
      if (!file) return;
      const text = await readFile(file);
      if (text.length > MOST) {
        this.said = file.name + " is too large for this page; hand it in by the API.";
        return;
      }
      this.text = text;
      this.said = file.name + " was read; nothing is handed in yet.";
    },
    send() {
      this.$emit("file", { name: this.name, text: this.text });
    },
    clear() {
      this.text = this.said = "";
    },
  },
};
