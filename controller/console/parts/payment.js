// A payment in a sentence, its figures, its steps, and why it ended if it did not end well.
import { listen, release } from "bes-draw";

const SAID = { done: "done", now: "now", failed: "ended here", open: "not yet" };

export default {
  template: `
    <div>
      <div class="bes-head" style="margin-bottom: 0"><p class="bes-sentence" style="flex: 1 1 300px" data-testid="sentence">{{ now.sentence }}</p>
        <template v-if="spends"><button v-for="act in now.acts" :key="act.name" type="button" class="bes-button bes-order" :data-testid="act.name" @click="$emit('act', { name: act.name })">{{ act.label }}</button></template>
      </div>
      <p class="bes-hint" style="margin: 2px 0 12px">{{ now.why }}<template v-for="one in now.others" :key="one.text"> · {{ one.label }} <a class="bes-link" :href="one.href">{{ one.text }}</a></template></p>
      <div v-if="now.ended" class="bes-refusal" role="alert" style="margin-bottom: 12px" data-testid="ended"><code>{{ now.ended.rule }}</code> {{ now.ended.detail }}</div>
      <ol class="bes-steps" aria-label="How far it has come"><li v-for="step in now.steps" :key="step.name" :class="'bes-step-' + step.state" :aria-current="step.state === 'now' ? 'step' : null" :data-testid="'step-' + step.name">
        <i aria-hidden="true"></i><b>{{ step.name }}</b><span class="bes-spoken">{{ said(step) }}</span><small>{{ step.hint }}</small></li></ol>
      <dl class="bes-headline" style="margin: 0"><div v-for="figure in now.figures" :key="figure.label"><dt>{{ figure.label }}</dt>
        <dd class="bes-value">{{ figure.value }} <small>{{ figure.unit }}</small></dd><p class="bes-hint">{{ figure.also }}</p></div></dl>
    </div>`,
  props: { first: Object, topic: String, spends: Boolean },
  emits: ["act"],
  data() {
    return { now: this.first };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.now = content));
  },
  unmounted() {
    release(this);
  },
  methods: {
    said: (step) => SAID[step.state],
  },
};
