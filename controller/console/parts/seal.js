// The bytes that a person signs elsewhere, and a box for what came of it.
import { copyText, listen, release } from "bes-draw";

export default {
  template: `
    <div>
      <p class="bes-text" data-testid="seal-state">{{ now.text }}</p>
      <template v-if="now.to_sign">
        <label v-if="now.people?.length > 1" class="bes-hint" style="display: block; margin-top: 8px">Signed by
          <select class="bes-field" v-model="name" data-testid="signed-by"><option v-for="one in now.people" :key="one.name">{{ one.name }}</option></select></label>
        <p class="bes-hint" style="margin-top: 8px">To sign, in base64</p>
        <pre ref="text" class="bes-raw" tabindex="0" data-testid="to-sign">{{ text }}</pre>
        <button type="button" class="bes-button bes-small" style="margin-top: 6px" data-testid="copy-to-sign" @click="copy"><span role="status">{{ said }}</span></button>
        <form v-if="spends" class="bes-seal" @submit.prevent="send">
          <label>The sealed signature, in base64
            <textarea class="bes-field" v-model="sealed" rows="3" maxlength="100000" spellcheck="false" autocomplete="off" data-testid="sealed"></textarea>
          </label>
          <button class="bes-button bes-primary bes-order" :disabled="!sealed.trim()" data-testid="seal">Hand it in</button>
        </form>
      </template>
    </div>`,
  props: { first: Object, topic: String, spends: Boolean },
  emits: ["seal"],
  data() {
    return { now: this.first, name: this.first.people?.[0].name, sealed: "", said: "Copy" };
  },
  computed: {
    text() {
      return this.now.people?.find((one) => one.name === this.name)?.to_sign ?? this.now.to_sign;
    },
  },
  mounted() {
    listen(this, this.topic, (content) => (this.now = content));
  },
  unmounted() {
    release(this);
  },
  methods: {
    send() {
      this.$emit("seal", { sealed: this.sealed });
    },
    clear() {
      this.sealed = "";
    },
    copy() {
      copyText(this, this.$refs.text);
    },
  },
};
