// Values over time on a canvas: band from least to greatest, line of the mean, hatched gaps that are never bridged.
// Sources are `series` of the API, or `prices` drawn as steps with what is only forecast thinner.
import { fetchOurs, fitCanvas, hatch, number, release, token, whenSizeChanges, whenThemeChanges } from "bes-draw";

const LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 22;
const AGAIN_MS = 15000;

export default {
  template: `
    <div>
      <div class="bes-head"><h2>{{ label }}</h2><span class="bes-hint">{{ unit }}</span><span class="bes-grow"></span>
        <div v-if="ranges.length" class="bes-segments" role="group" aria-label="Time range">
          <button v-for="item in ranges" :key="item.hours" :aria-pressed="String(item.hours === hours)" @click="setHours(item.hours)">{{ item.label }}</button>
        </div>
      </div>
      <div class="bes-canvas" ref="box" :style="{ height: height + 'px' }">
        <canvas ref="canvas" role="img" :aria-label="spoken" :data-testid="'trend-' + name" @mousemove="hover" @mouseleave="leave"></canvas>
        <div v-if="tip" class="bes-tip" :style="{ left: tip.x + 'px', top: '4px' }">{{ tip.text }} <em>{{ tip.time }}</em></div>
        <p v-if="problem" class="bes-empty">{{ problem }}</p>
      </div>
    </div>`,
  props: { url: String, kind: String, name: String, label: String, unit: String, factor: Number, decimals: Number, colour: String, height: Number, zone: String, ranges: Array, line: Object, startHours: Number },
  data() {
    return { hours: this.startHours, tip: null, problem: "", spoken: this.label };
  },
  mounted() {
    whenThemeChanges(this, () => this.paint());
    whenSizeChanges(this, this.$refs.box, () => this.paint());
    this.timer = setInterval(() => document.visibilityState === "visible" && this.refresh(), AGAIN_MS);
    this.refresh();
  },
  unmounted() {
    clearInterval(this.timer);
    release(this);
  },
  methods: {
    async refresh() {
      const now = Date.now();
      const ahead = this.kind === "prices" ? this.hours / 2 : 0;
      const since = Math.round(now - (this.hours - ahead) * 3600e3), until = Math.round(now + ahead * 3600e3);
      try {
        const mark = this.url.includes("?") ? "&" : "?";
        const content = await (await fetchOurs(`${this.url}${mark}from_ms=${since}&to_ms=${until}`)).json();
        this.span = [since, until];
        this.take(content);
        this.problem = this.points.some((point) => point.mean !== null) ? "" : "Nothing was stored in this span.";
        this.paint();
      } catch (error) {
        this.problem = this.points ? "" : `Not read: ${error.message}`;
      }
    },
    take(content) {
      const scaled = (value) => (value === null ? null : value / this.factor);
      if (this.kind === "prices") {
        this.points = content.map((point) => ({ at: point.start_ms, mean: scaled(point.price_usd_mwh), forecast: point.forecast }));
        this.gaps = [];
      } else {
        this.points = content.start_ms.map((at, i) => ({ at, low: scaled(content.low[i]), mean: scaled(content.mean[i]), high: scaled(content.high[i]) }));
        this.gaps = content.gaps;
      }
      const last = this.points.filter((point) => point.mean !== null && point.at <= Date.now()).at(-1);
      this.spoken = `${this.label}: last ${last ? number(last.mean, this.decimals) + " " + this.unit : "not known"}`;
    },
    scales(width) {
      let low = Infinity, high = -Infinity;
      for (const point of this.points) {
        if (point.mean === null) continue;
        low = Math.min(low, point.low ?? point.mean);
        high = Math.max(high, point.high ?? point.mean);
      }
      if (this.line) {
        low = Math.min(low, this.line.value / this.factor);
        high = Math.max(high, this.line.value / this.factor);
      }
      if (low > high) [low, high] = [0, 1];
      const room = Math.max((high - low) * 0.12, Math.abs(high) * 0.004, 1e-6);
      [low, high] = [low - room, high + room];
      const x = (at) => LEFT + ((at - this.span[0]) / (this.span[1] - this.span[0])) * (width - LEFT - RIGHT);
      const y = (value) => TOP + (1 - (value - low) / (high - low)) * (this.height - TOP - BOTTOM);
      return { low, high, x, y };
    },
    paint() {
      const canvas = this.$refs.canvas;
      const width = this.$refs.box?.clientWidth;
      if (!canvas || !width || !this.points) return;
      const pen = fitCanvas(canvas, width, this.height);
      const scale = (this.scale = this.scales(width));
      pen.font = token("chart-font");
      this.axes(pen, scale, width);
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, 0, width - LEFT - RIGHT, this.height - BOTTOM);
      pen.clip();
      this.holes(pen, scale);
      if (this.kind === "prices") this.steps(pen, scale);
      else this.curve(pen, scale);
      this.rule(pen, scale, width);
      pen.restore();
      if (this.cursor) {
        pen.fillStyle = token("text-3");
        pen.fillRect(Math.round(scale.x(this.cursor.at)), TOP, 1, this.height - TOP - BOTTOM);
      }
      canvas.dataset.points = String(this.points.length);
    },
    axes(pen, scale, width) {
      const step = nice((scale.high - scale.low) / 4);
      pen.textAlign = "right";
      for (let value = Math.ceil(scale.low / step) * step; value < scale.high; value += step) {
        const y = Math.round(scale.y(value)) + 0.5;
        pen.strokeStyle = token("line");
        line(pen, LEFT, y, width - RIGHT, y);
        pen.fillStyle = token("text-3");
        pen.fillText(number(value, decimalsOf(step)), LEFT - 8, y + 3.5);
      }
      pen.textAlign = "center";
      const hour = niceHours(this.hours / Math.max(3, Math.floor(width / 130)));
      const shift = offsetMs(this.zone, this.span[0]);
      for (let at = Math.ceil((this.span[0] + shift) / hour) * hour - shift; at < this.span[1]; at += hour) {
        const x = scale.x(at);
        if (x > LEFT + 14 && x < width - RIGHT - 14) pen.fillText(this.time(at, this.hours > 48), x, this.height - 6);
      }
    },
    holes(pen, scale) {
      pen.fillStyle = hatch(pen, token("line-2"), 6);
      for (const gap of this.gaps) {
        const left = scale.x(gap.first_ms);
        pen.fillRect(left, TOP, Math.max(2, scale.x(gap.last_ms) - left), this.height - TOP - BOTTOM);
      }
    },
    curve(pen, scale) {
      for (const run of runs(this.points)) {
        pen.fillStyle = token("band");
        pen.beginPath();
        run.forEach((point, i) => pen[i ? "lineTo" : "moveTo"](scale.x(point.at), scale.y(point.high)));
        for (const point of [...run].reverse()) pen.lineTo(scale.x(point.at), scale.y(point.low));
        pen.fill();
        pen.strokeStyle = token(this.colour);
        pen.lineWidth = 1.4;
        pen.beginPath();
        run.forEach((point, i) => pen[i ? "lineTo" : "moveTo"](scale.x(point.at), scale.y(point.mean)));
        pen.stroke();
        pen.lineWidth = 1;
        if (run.length > 1) continue;
        pen.fillStyle = token(this.colour); // a point alone has no line
        pen.fillRect(scale.x(run[0].at) - 1.5, scale.y(run[0].mean) - 1.5, 3, 3);
      }
    },
    steps(pen, scale) {
      this.points.forEach((point, i) => {
        const left = scale.x(point.at), right = scale.x(this.points[i + 1]?.at ?? point.at + 3600e3);
        pen.globalAlpha = point.forecast ? 0.22 : 0.4;
        pen.fillStyle = token(this.colour);
        const zero = scale.y(Math.max(scale.low, 0)), y = scale.y(point.mean);
        const wide = right - left > 4 ? right - left - 1 : right - left + 0.4; // narrow steps join without seams
        pen.fillRect(left, Math.min(y, zero), wide, Math.abs(zero - y));
        pen.globalAlpha = point.forecast ? 0.7 : 1;
        pen.fillRect(left, y - 1, wide, 2);
      });
      pen.globalAlpha = 1;
      const now = Math.round(scale.x(Date.now()));
      pen.fillStyle = token("text-2");
      for (let y = TOP; y < this.height - BOTTOM; y += 6) pen.fillRect(now, y, 1, 3);
    },
    rule(pen, scale, width) {
      if (!this.line) return;
      const y = Math.round(scale.y(this.line.value / this.factor)) + 0.5;
      pen.setLineDash([4, 4]);
      pen.strokeStyle = token("text-2");
      line(pen, LEFT, y, width - RIGHT, y);
      pen.setLineDash([]);
      pen.fillStyle = token("text-2");
      pen.textAlign = "left";
      pen.fillText(this.line.label, LEFT + 6, y - 5);
    },
    hover(event) {
      if (!this.points || !this.scale) return;
      const x = event.clientX - this.$refs.canvas.getBoundingClientRect().left;
      let best = null;
      for (const point of this.points) {
        if (this.kind === "prices" && this.scale.x(point.at) > x) break;
        if (!best || Math.abs(this.scale.x(point.at) - x) <= Math.abs(this.scale.x(best.at) - x)) best = point;
      }
      if (!best) return;
      this.cursor = best;
      const text = best.mean === null ? "no data" : `${number(best.mean, this.decimals)} ${this.unit}${best.forecast ? " (forecast)" : ""}`;
      this.tip = { x: Math.min(this.scale.x(best.at) + 10, this.$refs.box.clientWidth - 190), text, time: this.time(best.at, this.hours > 24) };
      this.paint();
    },
    leave() {
      this.tip = this.cursor = null;
      this.paint();
    },
    time(at, withDay) {
      const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: this.zone };
      if (withDay) Object.assign(parts, { day: "2-digit", month: "short" });
      return new Date(at).toLocaleString("en-GB", parts);
    },
    setHours(hours) {
      this.hours = hours;
      const address = new URL(window.location.href);
      address.searchParams.set("hours", hours);
      history.replaceState(history.state, "", address);
      this.refresh();
    },
  },
};

function* runs(points) {
  let run = [];
  for (const point of points) {
    if (point.mean !== null) run.push(point);
    else if (run.length) {
      yield run;
      run = [];
    }
  }
  if (run.length) yield run;
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].find((step) => step * power >= rough) * power;
}

function decimalsOf(step) {
  for (let decimals = 0; decimals < 6; decimals++) if (Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) < 1e-6) return decimals;
  return 6;
}

function niceHours(rough) {
  return [1 / 12, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168].find((step) => step >= rough) * 3600e3 || 168 * 3600e3;
}

function offsetMs(zone, at) {
  const shown = new Date(new Date(at).toLocaleString("en-US", { timeZone: zone }));
  const universal = new Date(new Date(at).toLocaleString("en-US", { timeZone: "UTC" }));
  return shown - universal;
}
