// The first lines of a miner's page: state in a sentence, figures with their age, why it runs as it does.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div>
      <p class="bes-sentence" data-testid="sentence">{{ now.sentence }}</p>
      <p class="bes-hint" style="margin: 2px 0 12px">{{ now.why }}</p>
      <dl class="bes-headline" :class="{ 'bes-old': now.stale }" style="margin: 0"><div v-for="figure in now.figures" :key="figure.label" :title="figure.title"><dt>{{ figure.label }}</dt>
        <dd class="bes-value" :class="{ 'bes-suspect': figure.suspect }">{{ figure.value }} <small>{{ figure.unit }}</small></dd></div></dl>
      <p class="bes-hint" style="margin-top: 8px" data-testid="read">{{ now.read }}</p>
    </div>`,
  props: { first: Object, topic: String },
  data() {
    return { now: this.first };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.now = content));
  },
  unmounted() {
    release(this);
  },
};
