// A site on a canvas: one cell a miner, grouped by container and rack. Colours mean fixed limits (map.py); what cannot
// be told by colour alone has a mark: a cross for faults, an outline without power, hatching for silence, a bar asleep.
import { fetchOurs, fitCanvas, hatch, listen, release, token, whenSizeChanges, whenThemeChanges } from "bes-draw";

const NAMES = ["as-expected", "starting", "asleep", "below", "far-below", "warm", "hot", "fault", "unpowered", "silent"];
const CIVIDIS = ["#00204D", "#00336F", "#39486B", "#575C6D", "#707173", "#8A8779", "#A69D75", "#C4B56C", "#E4CF5B", "#FFEA46"];
const LABEL = 18;
const BETWEEN = 14;

export default {
  template: `
    <div>
      <div class="bes-head">
        <h2>Map</h2>
        <div class="bes-segments" role="group" aria-label="What the map shows">
          <button v-for="item in modes" :key="item.key" :aria-pressed="String(item.key === mode)" @click="setMode(item.key)">{{ item.label }}</button>
        </div>
        <span class="bes-grow"></span><span class="bes-hint">{{ miners }}</span>
      </div>
      <div class="bes-canvas" ref="box" :style="{ minHeight: height + 'px' }">
        <canvas ref="canvas" tabindex="0" role="img" :aria-label="summary" data-testid="map"
                @mousemove="hover" @mouseleave="tip = null" @click="open" @keydown="move"></canvas>
        <div v-if="tip" class="bes-tip" :style="{ left: tip.x + 'px', top: tip.y + 'px' }">{{ tip.text }} <em>{{ tip.more }}</em></div>
        <p v-if="problem" class="bes-empty">{{ problem }}</p>
      </div>
      <div class="bes-legend" style="margin-top: 10px">
        <template v-if="mode === 'condition'">
          <a v-for="item in legend" :key="item.word" :href="item.href"><i :style="swatch(item.word)"></i>{{ item.label }} <b>{{ item.count }}</b></a>
        </template>
        <template v-else>
          <span>{{ scale.low }} {{ scale.unit }}</span>
          <span><i v-for="colour in ramp" :key="colour" :style="{ background: colour, width: '18px', marginRight: '-6px' }"></i></span>
          <span>{{ scale.high }} {{ scale.unit }} and above</span>
        </template>
      </div>
    </div>`,
  props: { api: String, base: String, topic: String, modes: Array, scales: Object, first: Object, start: String },
  data() {
    return { mode: this.start, tip: null, legend: this.first.conditions, miners: "", summary: "Map is being read", height: 180, problem: "", ramp: CIVIDIS };
  },
  computed: {
    scale() {
      return this.scales[this.mode] || {};
    },
  },
  async mounted() {
    this.focused = 0;
    listen(this, this.topic, (content) => {
      this.legend = content.conditions;
      this.turn = !this.turn;
      if (this.turn) this.refresh();
    });
    whenThemeChanges(this, () => this.paint());
    whenSizeChanges(this, this.$refs.box, () => this.arrange());
    await this.refresh();
  },
  unmounted() {
    release(this);
  },
  methods: {
    async refresh() {
      if (this.busy) return;
      this.busy = true;
      try {
        const response = await fetchOurs(`${this.api}/map?mode=${this.mode}`);
        const revision = response.headers.get("X-Layout");
        const bytes = await response.arrayBuffer();
        if (!this.layout || this.layout.revision !== revision) {
          this.layout = await (await fetchOurs(`${this.api}/map/layout`)).json();
          this.arrange();
        }
        const count = new DataView(bytes).getUint32(8, true);
        this.condition = new Uint8Array(bytes, 12, count);
        this.value = bytes.byteLength >= 12 + 2 * count ? new Uint8Array(bytes, 12 + count, count) : null;
        this.problem = "";
        this.describe();
        this.paint();
      } catch (error) {
        this.problem = this.layout ? "" : `The map could not be read: ${error.message}`;
      } finally {
        this.busy = false;
      }
    },
    arrange() {
      const width = this.$refs.box?.clientWidth;
      if (!this.layout || !width) return;
      const blocks = this.layout.containers.map((name) => ({ name, cells: [], racks: 0, shelves: 0, places: 0, frames: [] }));
      const lay = this.layout;
      for (let i = 0; i < lay.container.length; i++) {
        const block = blocks[lay.container[i]];
        block.cells.push(i);
        block.racks = Math.max(block.racks, lay.rack[i]);
        block.shelves = Math.max(block.shelves, lay.shelf[i]);
        block.places = Math.max(block.places, lay.position[i]);
        const frame = (block.frames[lay.rack[i] - 1] ??= { shelves: 0, places: 0 });
        frame.shelves = Math.max(frame.shelves, lay.shelf[i]);
        frame.places = Math.max(frame.places, lay.position[i]);
      }
      this.cell = 3;
      for (const size of [16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3]) {
        this.cell = size;
        if (this.place(blocks, width, size) <= Math.max(330, width * 0.42)) break;
      }
      this.height = this.place(blocks, width, this.cell);
      this.blocks = blocks;
      this.paint();
    },
    place(blocks, width, size) {
      let x = size > 7 ? 2 : 0, y = 0, tallest = 0;
      const left = x;
      for (const block of blocks) {
        const rackWide = block.places * size + (size > 7 ? 7 : 2);
        const rackHigh = block.shelves * size + (size > 7 ? 7 : 2);
        block.across = Math.max(1, Math.min(block.racks, Math.round(Math.sqrt((block.racks * rackHigh * 2.2) / rackWide))));
        block.wide = block.across * rackWide;
        block.high = Math.ceil(block.racks / block.across) * rackHigh + LABEL;
        if (x > left && x + block.wide > width) {
          x = left;
          y += tallest + BETWEEN;
          tallest = 0;
        }
        Object.assign(block, { x, y, rackWide, rackHigh });
        x += block.wide + BETWEEN;
        tallest = Math.max(tallest, block.high);
      }
      return y + tallest;
    },
    paint() {
      const canvas = this.$refs.canvas;
      if (!canvas || !this.blocks || !this.condition) return;
      const pen = fitCanvas(canvas, this.$refs.box.clientWidth, this.height);
      const looks = this.looks(pen);
      pen.font = "12px Roboto, sans-serif";
      this.blocks.forEach((block, index) => {
        pen.fillStyle = token(document.activeElement === canvas && index === this.focused ? "accent" : "text-3");
        pen.fillText(block.name.toUpperCase(), block.x, block.y + 11);
        if (this.cell > 7) this.drawFrames(pen, block);
        for (const i of block.cells) this.drawCell(pen, block, i, looks);
      });
      canvas.dataset.painted = String(this.condition.length);
    },
    drawFrames(pen, block) {
      pen.strokeStyle = token("line");
      pen.lineWidth = 1;
      block.frames.forEach((frame, rack) => {
        const x = block.x + (rack % block.across) * block.rackWide;
        const y = block.y + LABEL + Math.floor(rack / block.across) * block.rackHigh;
        pen.strokeRect(x - 1.5, y - 1.5, frame.places * this.cell + 2, frame.shelves * this.cell + 2);
      });
    },
    drawCell(pen, block, i, looks) {
      const size = this.cell;
      const rack = this.layout.rack[i] - 1;
      const x = block.x + (rack % block.across) * block.rackWide + (this.layout.position[i] - 1) * size;
      const y = block.y + LABEL + Math.floor(rack / block.across) * block.rackHigh + (this.layout.shelf[i] - 1) * size;
      const edge = size - 1;
      const word = NAMES[this.condition[i]];
      if (word === "silent") {
        pen.fillStyle = looks.hatch;
        pen.fillRect(x, y, edge, edge);
      } else if (word === "unpowered") {
        pen.strokeStyle = looks.quiet;
        pen.strokeRect(x + 0.5, y + 0.5, edge - 1, edge - 1);
      } else if (word === "asleep") {
        pen.fillStyle = looks.quiet;
        pen.fillRect(x, y + Math.floor(edge / 3), edge, Math.max(1, Math.round(edge / 3)));
      } else if (this.value && this.mode !== "condition") {
        pen.fillStyle = this.value[i] === 255 ? looks.hatch : CIVIDIS[Math.min(9, Math.floor((this.value[i] / 255) * 10))];
        pen.fillRect(x, y, edge, edge);
      } else {
        pen.fillStyle = looks.fill[word];
        pen.fillRect(x, word === "starting" ? y + Math.floor(edge / 2) : y, edge, word === "starting" ? Math.ceil(edge / 2) : edge);
        if (word === "fault" && size >= 5) this.cross(pen, x, y, edge, looks.ink);
      }
    },
    cross(pen, x, y, edge, ink) {
      pen.strokeStyle = ink;
      pen.beginPath();
      pen.moveTo(x + 1, y + 1);
      pen.lineTo(x + edge - 1, y + edge - 1);
      pen.moveTo(x + edge - 1, y + 1);
      pen.lineTo(x + 1, y + edge - 1);
      pen.stroke();
    },
    looks(pen) {
      const quiet = token("map-quiet");
      const fill = { "as-expected": token("map-expected"), starting: token("map-expected") };
      for (const word of ["below", "far-below", "warm", "hot", "fault"]) fill[word] = token("map-" + word);
      return { fill, quiet, hatch: hatch(pen, quiet, 5), ink: token("surface") };
    },
    swatch(word) {
      if (word === "silent") return { background: "repeating-linear-gradient(135deg, var(--bes-map-quiet) 0 1.5px, transparent 1.5px 4px)" };
      if (word === "unpowered") return { border: "1.5px solid var(--bes-map-quiet)", boxSizing: "border-box" };
      if (word === "asleep") return { background: "linear-gradient(transparent 33%, var(--bes-map-quiet) 33% 66%, transparent 66%)" };
      if (word === "starting") return { background: "linear-gradient(transparent 50%, var(--bes-map-expected) 50%)" };
      if (word === "as-expected") return { background: "var(--bes-map-expected)" };
      return { background: `var(--bes-map-${word})` };
    },
    describe() {
      const odd = this.legend.filter((item) => !["as-expected", "asleep"].includes(item.word));
      this.summary = "Map of miners. " + (odd.map((item) => `${item.label}: ${item.count}`).join("; ") || "All as expected.");
      this.miners = `${this.condition.length.toLocaleString("en-US")} miners`;
    },
    at(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      const x = event.clientX - box.left, y = event.clientY - box.top;
      for (const block of this.blocks || []) {
        if (x < block.x || x > block.x + block.wide || y < block.y || y > block.y + block.high) continue;
        for (const i of block.cells) {
          const rack = this.layout.rack[i] - 1;
          const left = block.x + (rack % block.across) * block.rackWide + (this.layout.position[i] - 1) * this.cell;
          const top = block.y + LABEL + Math.floor(rack / block.across) * block.rackHigh + (this.layout.shelf[i] - 1) * this.cell;
          if (x >= left && x < left + this.cell && y >= top && y < top + this.cell) return { i, x, y };
        }
        return { block, x, y };
      }
      return null;
    },
    hover(event) {
      const found = this.at(event);
      this.$refs.canvas.style.cursor = found ? "pointer" : "default";
      if (!found || found.i === undefined) return (this.tip = null);
      const { low, high, unit } = this.scale;
      const raw = this.value?.[found.i];
      const shown = unit && raw !== undefined && raw !== 255 ? `${(low + (raw / 254) * (high - low)).toFixed(0)} ${unit}` : NAMES[this.condition[found.i]].replace("-", " ");
      const right = found.x > this.$refs.box.clientWidth - 220;
      this.tip = { x: right ? found.x - 200 : found.x + 14, y: found.y + 14, text: this.layout.slot[found.i], more: shown };
    },
    open(event) {
      const found = this.at(event);
      if (!found) return;
      if (found.i !== undefined) this.$emit("go", { href: `${this.base}/miner/${this.layout.device_id[found.i]}` });
      else this.openBlock(found.block);
    },
    openBlock(block) {
      this.$emit("go", { href: `${this.base}/miners?q=${encodeURIComponent("container:" + block.name)}` });
    },
    move(event) {
      const last = (this.blocks || []).length - 1;
      if (event.key === "ArrowRight") this.focused = Math.min(last, this.focused + 1);
      else if (event.key === "ArrowLeft") this.focused = Math.max(0, this.focused - 1);
      else if (event.key === "Enter") return this.openBlock(this.blocks[this.focused]);
      else return;
      event.preventDefault();
      this.paint();
    },
    setMode(mode) {
      this.mode = mode;
      const address = new URL(window.location.href);
      if (mode === "condition") address.searchParams.delete("map");
      else address.searchParams.set("map", mode);
      history.replaceState(history.state, "", address);
      this.refresh();
    },
  },
  emits: ["go"],
};
