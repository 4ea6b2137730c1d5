// Five answers in a row: value, deviation from what is normal, trend against its band, source and age.
import { listen, release } from "bes-draw";

const POINTS = 120;
const FEWEST = 10;

export default {
  template: `
    <section class="bes-tiles" aria-label="Site in five figures">
      <div v-for="tile in tiles" :key="tile.key" class="bes-tile" :data-testid="'tile-' + tile.key" :title="tile.note">
        <h2>{{ tile.label }}</h2>
        <a v-if="tile.href" class="bes-value bes-link" :href="tile.href" :data-testid="tile.key">{{ tile.value }} <small>{{ tile.unit }}</small></a>
        <div v-else class="bes-value" :class="{ 'bes-suspect': tile.suspect }" :data-testid="tile.key">{{ tile.value }} <small>{{ tile.unit }}</small></div>
        <div v-if="tile.parts" class="bes-split" aria-hidden="true"><i v-for="part in tile.parts" :key="part.key" :style="{ flex: part.count, background: part.colour }"></i></div>
        <svg v-else viewBox="0 0 120 26" preserveAspectRatio="none" aria-hidden="true">
          <rect v-if="band(tile)" x="0" width="120" :y="band(tile).y" :height="band(tile).h" fill="var(--bes-band)"/>
          <path :d="line(tile)" fill="none" stroke="var(--bes-trend)" stroke-width="1.4" vector-effect="non-scaling-stroke"/>
        </svg>
        <div class="bes-delta"><template v-if="tile.links">
          <template v-for="(link, index) in tile.links" :key="link.href"><template v-if="index"> · </template><a class="bes-link" :href="link.href">{{ link.text }}</a></template>
        </template><template v-else>{{ tile.delta }}</template></div>
        <div class="bes-source" :title="tile.source">{{ tile.source }}</div>
      </div>
    </section>`,
  props: { first: Object, trends: Object, topic: String, trendsTopic: String },
  data() {
    return { tiles: this.first.tiles, lines: this.trends.lines };
  },
  mounted() {
    listen(this, this.topic, (content) => (this.tiles = content.tiles));
    listen(this, this.trendsTopic, (content) => (this.lines = content.lines));
  },
  unmounted() {
    release(this);
  },
  methods: {
    values(tile) {
      const all = (this.lines[tile.key] || []).slice(1 - POINTS);
      const first = all.findIndex((value) => value !== null); // a young site has no hour yet
      const past = first < 0 ? [] : all.slice(Math.min(first, all.length - FEWEST));
      return tile.number === null || !past.length ? past : [...past, tile.number];
    },
    range(tile) {
      const values = this.values(tile).filter((value) => value !== null);
      if (tile.band) values.push(...tile.band);
      if (!values.length) return null;
      const low = Math.min(...values);
      const high = Math.max(...values);
      const room = Math.max((high - low) * 0.15, Math.abs(high) * 0.002, 1e-9);
      return { low: low - room, span: high - low + 2 * room };
    },
    y(value, range) {
      return 26 - ((value - range.low) / range.span) * 26;
    },
    band(tile) {
      const range = tile.band && this.range(tile);
      if (!range) return null;
      const top = this.y(tile.band[1], range);
      return { y: top, h: Math.max(1, this.y(tile.band[0], range) - top) };
    },
    line(tile) {
      const values = this.values(tile);
      const range = this.range(tile);
      if (!range || !values.length) return "";
      const step = 120 / Math.max(1, values.length - 1);
      let pen = "M";
      let path = "";
      values.forEach((value, index) => {
        if (value !== null) path += `${pen}${(index * step).toFixed(1)},${this.y(value, range).toFixed(1)}`;
        pen = value === null ? "M" : "L";
      });
      return path;
    },
  },
};
