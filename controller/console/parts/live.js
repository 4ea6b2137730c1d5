// The page's pulse. Hands every message to the parts as an event, and watches its own age: a frozen server, a lost
// network and a dead proxy all look the same from here, so the page is stale when nothing has come for five seconds.
const STALE_MS = 5000;
const ASK_EVERY_MS = 3000;
const MENDS = {
  silent: "Look whether the controller runs; the page goes on by itself.",
  offline: "This device has no network; the page goes on by itself.",
  answers: "The controller answers again; reload the page if it does not go on.",
};

export default {
  template: `
    <span class="bes-age" data-testid="age">
      <span>live <b>{{ age }}</b></span> <span class="bes-clock">{{ clock }}</span>
      <teleport to="body">
        <div v-if="stale" class="bes-stale-bar" role="alert" data-testid="stale">
          No data from the controller for {{ seconds }} s. Values are the last known; orders are off. <span>{{ mend }}</span>
        </div>
      </teleport>
    </span>`,
  props: { alive: String },
  data: () => ({ age: "\u2014", seconds: 0, stale: false, clock: "", mend: MENDS.silent }),
  mounted() {
    this.lastMs = performance.now();
    this.askedMs = 0;
    this.timer = setInterval(() => this.watch(), 250);
    this.block = (event) => this.refuseWhenStale(event);
    for (const kind of ["click", "keydown", "submit"]) document.addEventListener(kind, this.block, true);
  },
  unmounted() {
    clearInterval(this.timer);
    for (const kind of ["click", "keydown", "submit"]) document.removeEventListener(kind, this.block, true);
    document.body.classList.remove("bes-stale");
  },
  methods: {
    receive(topic, text) {
      this.lastMs = performance.now();
      const content = JSON.parse(text);
      if (content.clock) this.clock = content.clock;
      window.dispatchEvent(new CustomEvent("bes:" + topic, { detail: content }));
      this.watch();
    },
    watch() {
      const silentMs = performance.now() - this.lastMs;
      this.age = (silentMs / 1000).toFixed(1) + " s";
      this.seconds = Math.floor(silentMs / 1000);
      this.stale = silentMs >= STALE_MS;
      document.body.classList.toggle("bes-stale", this.stale);
      for (const order of document.querySelectorAll(".bes-order")) order.setAttribute("aria-disabled", String(this.stale));
      if (this.stale && performance.now() - this.askedMs > ASK_EVERY_MS) this.ask();
    },
    async ask() {
      this.askedMs = performance.now();
      try {
        const response = await fetch(this.alive, { credentials: "same-origin", signal: AbortSignal.timeout(2500) });
        if (response.status === 401) window.location.assign("/login");
        this.mend = MENDS.answers;
      } catch (error) {
        this.mend = navigator.onLine ? MENDS.silent : MENDS.offline;
      }
    },
    refuseWhenStale(event) {
      if (!this.stale || !event.target.closest?.(".bes-order")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
  },
};
