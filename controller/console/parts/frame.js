// The frame of every page: brand, site, search, alarm counts, pulse, navigation, alarm bar, notice.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div class="bes-shell">
      <a class="bes-skip" href="#bes-main">Skip to the content</a>
      <header class="bes-top">
        <a class="bes-brand" :href="home">BES <small>mining operations</small></a>
        <select v-if="sites.length > 1" class="bes-field" aria-label="Site" :value="site" @change="pickSite">
          <option v-for="item in sites" :key="item.id" :value="item.id">{{ item.name }}</option>
        </select>
        <span v-else class="bes-site-name" :title="sites.length ? sites[0].name : ''">{{ sites.length ? sites[0].name : "" }}</span>
        <form v-if="site" class="bes-search" role="search" @submit.prevent="search" @keydown.esc="$refs.search.blur()">
          <input ref="search" class="bes-field" v-model="text" aria-label="Search miners" aria-keyshortcuts="Control+K /" data-testid="search" enterkeyhint="search"
                 placeholder="Serial, IP, slot or state:hot chip&gt;85" autocomplete="off" spellcheck="false" maxlength="500">
          <kbd title="Ctrl K works too">/</kbd>
        </form>
        <span class="bes-grow"></span>
        <div class="bes-counts" v-if="live" aria-label="Standing alarms by priority">
          <a v-for="item in live.alarms" :key="item.priority" :href="live.alarms_href"
             :aria-label="(item.count || 'no') + ' alarms of priority ' + item.priority">
            <span class="bes-mark" :class="item.count ? 'bes-mark-' + item.priority : 'bes-mark-0'">{{ item.priority }}</span>{{ item.count }}
          </a>
        </div>
        <slot name="pulse"></slot>
        <button class="bes-icon-button" @click="toggleTheme" aria-label="Light or dark" title="Light or dark">
          <svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="6.5"/><path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor"/></svg>
        </button>
        <div class="bes-user"><span>{{ user }}</span>
          <form method="post" action="/logout"><button class="bes-button bes-small" data-testid="sign-out">Sign out</button></form>
        </div>
      </header>
      <nav ref="nav" class="bes-nav" aria-label="Pages">
        <a v-for="item in nav" :key="item.href" :href="item.href" :aria-current="current === item.href ? 'page' : null">
          {{ item.label }}<span v-if="live && live.badges[item.key]">{{ live.badges[item.key] }}</span>
        </a>
      </nav>
      <div class="bes-bar" aria-live="assertive">
        <div v-if="live && live.silent" class="bes-silent-bar" data-testid="site-silent">
          <span class="bes-mark bes-mark-2">!</span><p>{{ live.silent.text }}<span>{{ live.silent.mend }}</span></p>
          <a class="bes-button" :href="live.nodes_href">Nodes</a>
        </div>
        <div v-if="live && live.urgent" class="bes-alarm-bar" data-testid="alarm-bar">
          <span class="bes-mark bes-mark-1 bes-new"><span class="bes-spoken">priority </span>1</span>
          <p>{{ live.urgent.text }}<span>{{ live.urgent.detail }}</span></p>
          <a class="bes-button" :href="live.urgent.href">Show</a>
          <button v-if="operates" class="bes-button bes-order" @click="$emit('acknowledge', { id: live.urgent.id })">Acknowledge</button>
        </div>
        <div v-if="notice" class="bes-notice" role="alert" data-testid="notice">
          <p>{{ notice.text }} <code>{{ notice.code }}</code></p>
          <button class="bes-button bes-small" @click="$emit('dismiss')">Close</button>
        </div>
      </div>
      <main id="bes-main" class="bes-main" tabindex="-1"><slot></slot></main>
    </div>`,
  props: { home: String, site: String, sites: Array, nav: Array, current: String, user: String, operates: Boolean, notice: Object, first: Object },
  emits: ["acknowledge", "dismiss", "go"],
  data() {
    return { live: this.first, text: "", chord: "" };
  },
  mounted() {
    listen(this, "shell", (content) => this.take(content));
    if (this.first) this.take(this.first);
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
    const theme = localStorage.getItem("bes-theme");
    if (theme) Quasar.Dark.set(theme === "dark");
  },
  unmounted() {
    document.removeEventListener("keydown", this.keys);
    document.body.classList.remove("bes-silent");
    release(this);
  },
  watch: {
    current() {
      this.$nextTick(() => this.$refs.nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }));
    },
  },
  methods: {
    take(content) {
      this.live = content;
      document.body.classList.toggle("bes-silent", Boolean(content.silent));
    },
    go(href) {
      this.$emit("go", { href });
    },
    search() {
      this.go(`/console/site/${this.site}/miners?q=${encodeURIComponent(this.text.trim())}`);
    },
    pickSite(event) {
      this.go(`/console/site/${event.target.value}`);
    },
    toggleTheme() {
      Quasar.Dark.set(!Quasar.Dark.isActive);
      localStorage.setItem("bes-theme", Quasar.Dark.isActive ? "dark" : "light");
    },
    key(event) {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        this.$refs.search?.focus();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
      if (event.key === "/") {
        event.preventDefault();
        (document.querySelector("input[data-testid=filter], [data-testid=filter] input") || this.$refs.search)?.focus();
      } else if (event.key === "?") {
        document.querySelector(".bes-help summary")?.click();
      } else if (this.chord === "g") {
        const target = this.nav.find((item) => item.shortcut === event.key);
        if (target) this.go(target.href);
      }
      this.chord = event.key === "g" ? "g" : "";
    },
  },
};
