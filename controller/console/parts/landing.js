// A running curtailment: the meter first, then how many confirmed, then what was not as ordered.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div>
      <div class="bes-head"><h2>Curtailment</h2>
        <span v-if="state" class="bes-tag" :class="state.tone ? 'bes-t' + state.tone : ''" data-testid="phase">{{ state.phase }}</span>
        <span class="bes-grow"></span>
        <button v-if="operates && state && state.can_approve" class="bes-button bes-order" data-testid="approve" @click="$emit('act', { name: 'approve', id: state.id })">Approve</button>
        <button v-if="operates && state && state.can_end" class="bes-button bes-order" data-testid="restore" @click="$emit('act', { name: 'end', id: state.id })">End and restore</button>
        <button v-if="operates && !(state && state.active)" class="bes-button bes-primary bes-order" data-testid="curtail" @click="$emit('act', { name: 'curtail' })">Curtail now</button>
      </div>
      <template v-if="state && state.active">
        <dl class="bes-headline">
          <div><dt>Meter now</dt><dd class="bes-value" data-testid="curtailed-power">{{ state.power }}</dd></div>
          <div><dt>Change since start</dt><dd>{{ state.change }} <small>of {{ state.wanted }}</small></dd></div>
          <div><dt>Time to target</dt><dd data-testid="time-to-target">{{ state.time_to_target }}</dd></div>
          <div><dt>Miners confirmed</dt><dd>{{ state.confirmed }}</dd></div>
        </dl>
        <div class="bes-landing" :aria-label="'Meter at ' + state.power + ', target ' + state.target"><i :style="{ width: state.now_pct + '%' }"></i>
          <u :style="{ left: state.target_pct + '%' }"></u><span :style="state.target_pct > 80 ? { right: 0, left: 'auto', transform: 'none' } : { left: state.target_pct + '%' }">target {{ state.target }}</span>
          <span style="left: 100%; transform: translateX(-100%)" v-if="state.target_pct < 72">before {{ state.baseline }}</span></div>
        <div class="bes-outcomes" style="margin-bottom: 8px"><i v-for="part in state.outcomes" :key="part.state" :class="'bes-o-' + part.state" :style="{ flex: part.count }"></i></div>
        <div class="bes-legend"><span v-for="part in state.outcomes" :key="part.state"><i :class="'bes-o-' + part.state"></i>{{ part.state }} <b>{{ part.count }}</b></span></div>
        <p class="bes-hint" style="margin-top: 8px">{{ state.text }}</p>
      </template>
      <template v-else>
        <p class="bes-text">No curtailment is running. Load is set by the dispatch.</p>
        <p v-if="state" class="bes-hint" style="margin-top: 8px">The last one: {{ state.wanted }}, time to target {{ state.time_to_target }}. {{ state.text }}</p>
      </template>
    </div>`,
  props: { first: Object, topic: String, operates: Boolean },
  emits: ["act"],
  data() {
    return { state: this.first.state };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.state = content.state));
  },
  unmounted() {
    release(this);
  },
};
