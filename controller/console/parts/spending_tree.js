// The ways to spend a coin: one branch each, with its sentence, its lock and its keys. Plain HTML, so that it breaks
// on a phone as text does and can be read aloud.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div class="bes-tree">
      <p class="bes-tree-root">A coin of <b>{{ now.root }}</b></p>
      <ul><li v-for="path in now.paths" :key="path.name" :class="path.state && 'bes-tree-' + path.state" :data-testid="'path-' + path.name">
        <p class="bes-sentence">{{ path.sentence }}</p>
        <div class="bes-tree-way">
          <span class="bes-tree-lock"><svg viewBox="0 0 16 16" aria-hidden="true"><path v-if="path.locked" d="M5 7V5a3 3 0 0 1 6 0v2"/><path v-else d="M5 7V5a3 3 0 0 1 5.8-1"/><rect x="3.5" y="7" width="9" height="6.5" rx="1"/></svg>{{ path.when }}</span>
          <span class="bes-tree-who">{{ path.who }}</span>
          <span v-for="key in path.keys" :key="key" class="bes-tree-key">{{ key }}</span>
          <span v-if="path.said" class="bes-tag" :class="path.state === 'open' ? 'bes-t2' : 'bes-t3'">{{ path.said }}</span>
        </div>
        <p class="bes-hint">path “{{ path.name }}”</p>
      </li></ul>
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
