// A long form that explains each field, judges itself by asking the server while a person writes, and loses nothing:
// what was written stays in this tab until it was taken, also over a reload.
const WAIT_MS = 350;

export default {
  template: `
    <form class="bes-form" @submit.prevent="submit" data-testid="form">
      <section v-for="section in shown" :key="section.title" class="bes-card">
        <div class="bes-head"><h2>{{ section.title }}</h2><span class="bes-hint">{{ section.hint }}</span></div>
        <label v-if="section.choose" class="bes-form-field"><span>{{ section.choose }}</span>
          <select class="bes-field" :value="kind" @change="choose($event.target.value)" data-testid="kind"><option v-for="one in kinds" :key="one.type" :value="one.type">{{ one.label }}</option></select>
          <small>{{ chosen.what }}</small>
        </label>
        <div v-if="section.fields.length" class="bes-form-grid"><div v-for="field in section.fields" :key="field.path" class="bes-form-field" :class="{ 'bes-form-wide': field.wide, 'bes-form-no': wrong(field) }" :data-testid="'field-' + field.path">
          <template v-if="field.kind === 'rows'">
            <span :id="'l-' + field.path">{{ field.label }}</span><small>{{ field.hint }}</small>
            <div v-for="(row, index) in read(field)" :key="index" class="bes-form-row" role="group" :aria-labelledby="'l-' + field.path">
              <label v-for="column in field.columns" :key="column.key" :class="{ 'bes-form-big': column.mono }"><span>{{ column.label }}</span>
                <select v-if="column.kind === 'choice'" class="bes-field" v-model="row[column.key]" @change="changed"><option v-for="one in column.options" :key="one" :value="one">{{ one }}</option></select>
                <select v-else-if="column.kind === 'payee'" class="bes-field" v-model="row[column.key]" @change="changed"><option v-for="one in names('agreement.allow_list')" :key="one" :value="one">{{ one }}</option></select>
                <input v-else class="bes-field" :class="{ 'bes-form-mono': column.mono }" v-model="row[column.key]" @input="changed" :list="column.list ? listId(column.list, row) : null" :inputmode="column.kind === 'int' ? 'numeric' : null" maxlength="600" spellcheck="false" autocomplete="off" :data-testid="field.path + '-' + index + '-' + column.key">
              </label>
              <button type="button" class="bes-button bes-small" :aria-label="'Remove line ' + (index + 1) + ' of ' + field.label" @click="drop(field, index)">Remove</button>
            </div>
            <div><button type="button" class="bes-button bes-small" :data-testid="'add-' + field.path" @click="add(field)">{{ field.more }}</button></div>
          </template>
          <template v-else-if="field.kind === 'parties' || field.kind === 'payees'">
            <span :id="'l-' + field.path">{{ field.label }}</span>
            <div class="bes-form-picks" role="group" :aria-labelledby="'l-' + field.path">
              <label v-for="one in names(field.kind === 'parties' ? 'agreement.parties' : 'agreement.allow_list')" :key="one"><input type="checkbox" :checked="read(field).includes(one)" @change="pick(field, one, $event.target.checked)">{{ one }}</label>
              <i v-if="!names(field.kind === 'parties' ? 'agreement.parties' : 'agreement.allow_list').length">{{ field.kind === 'parties' ? 'name the parties first' : 'fill the allow-list first' }}</i>
            </div><small>{{ field.hint }}</small>
          </template>
          <label v-else-if="field.kind === 'flag'" class="bes-form-flag"><input type="checkbox" :checked="read(field)" @change="write(field, $event.target.checked)"><span>{{ field.label }}</span><small>{{ field.hint }}</small></label>
          <label v-else><span>{{ field.label }}</span>
            <select v-if="field.kind === 'party'" class="bes-field" :value="read(field)" @change="write(field, $event.target.value)"><option value=""></option><option v-for="one in names('agreement.parties')" :key="one" :value="one">{{ one }}</option></select>
            <textarea v-else-if="field.kind === 'lines'" class="bes-field bes-form-mono" rows="3" :value="read(field)" @input="write(field, $event.target.value)" maxlength="20000" spellcheck="false" autocomplete="off" :data-testid="field.path"></textarea>
            <textarea v-else-if="field.kind === 'long'" class="bes-field bes-form-mono" rows="3" :value="read(field)" @input="write(field, $event.target.value)" maxlength="8000" spellcheck="false" autocomplete="off" :data-testid="field.path"></textarea>
            <input v-else class="bes-field" :value="read(field)" @input="write(field, $event.target.value)" :inputmode="field.kind === 'text' ? null : 'numeric'" maxlength="200" spellcheck="false" autocomplete="off" :data-testid="field.path">
            <small><b v-if="about(field)">{{ about(field) }}</b> {{ field.hint }}</small>
          </label>
          <p v-if="wrong(field)" class="bes-refusal" role="alert">{{ said.text }} <code>{{ said.rule }}</code></p>
        </div></div>
      </section>
      <datalist v-for="(list, name) in lists" :key="name" :id="'d-' + name"><option v-for="one in list" :key="one" :value="one"></option></datalist>
      <section class="bes-card">
        <p v-if="said" class="bes-refusal" role="alert" data-testid="form-refusal">{{ whose }}{{ said.text }} <code>{{ said.rule }}</code></p>
        <p v-else class="bes-text" role="status" data-testid="form-state">{{ busy ? "Checking…" : state }}</p>
        <div class="bes-foot" style="justify-content: flex-start; margin-top: 10px">
          <button class="bes-button bes-primary bes-order" :disabled="!fine" data-testid="form-send">{{ action }}</button>
          <button type="button" class="bes-button" @click="reset" data-testid="form-reset">Begin anew</button>
        </div>
      </section>
    </form>`,
  props: { sections: Array, kinds: Array, first: Object, keep: String, action: String, lists: Object, height: Number },
  emits: ["check", "send"],
  data() {
    const kept = this.kept();
    return { doc: kept ? kept.doc : this.copy(this.first), others: kept ? kept.others : {}, said: null, state: "", fine: false, busy: false };
  },
  computed: {
    kind() {
      return this.doc.template ? this.doc.template.type : "";
    },
    chosen() {
      return (this.kinds || []).find((one) => one.type === this.kind) || { what: "", fields: [] };
    },
    whose() {
      const field = this.shown.flatMap((section) => section.fields).find((one) => this.wrong(one));
      return field ? field.label + ": " : "";
    },
    shown() {
      return this.sections.map((section) => (section.choose ? { ...section, fields: this.chosen.fields } : section));
    },
  },
  mounted() {
    this.changed();
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  methods: {
    copy: (value) => JSON.parse(JSON.stringify(value)),
    kept() {
      try {
        return JSON.parse(sessionStorage.getItem(this.keep));
      } catch (error) {
        return null;
      }
    },
    places(path) {
      const keys = path.split(".");
      const last = keys.pop();
      let at = this.doc;
      for (const key of keys) at = at[key] = at[key] || {};
      return [at, last];
    },
    read(field) {
      const [at, key] = this.places(field.path);
      if (at[key] === undefined) at[key] = this.copy(field.first);
      return at[key];
    },
    write(field, value) {
      const [at, key] = this.places(field.path);
      at[key] = value;
      this.changed();
    },
    pick(field, name, on) {
      const picked = this.read(field).filter((one) => one !== name);
      const order = this.names(field.kind === "parties" ? "agreement.parties" : "agreement.allow_list");
      this.write(field, order.filter((one) => picked.includes(one) || (on && one === name)));
    },
    names(path) {
      const [at, key] = this.places(path);
      return (at[key] || []).map((one) => one.name).filter((name, index, all) => name && all.indexOf(name) === index);
    },
    add(field) {
      this.read(field).push(Object.fromEntries(field.columns.map((column) => [column.key, column.first ?? ""])));
      this.changed();
    },
    drop(field, index) {
      this.read(field).splice(index, 1);
      this.changed();
    },
    listId(list, row) {
      const own = list + "-" + (row.person || "");
      return "d-" + (this.lists[own] ? own : list);
    },
    choose(type) {
      this.others[this.kind] = this.doc.template;
      this.doc.template = this.others[type] || { type };
      this.changed();
    },
    whole(value) {
      const plain = String(value).replace(/[\s,_]/g, "");
      return /^-?\d{1,16}$/.test(plain) ? Number(plain) : value;
    },
    about(field) {
      const value = this.whole(this.read(field));
      if (typeof value !== "number") return "";
      if (field.kind === "sat") return (value / 1e8).toFixed(8) + " BTC.";
      if (field.kind === "blocks") return "About " + (value >= 288 ? Math.round(value / 144) + " days." : Math.round(value / 6) + " h.");
      if (field.kind === "height" && this.height && value > this.height) {
        return "About " + new Date(Date.now() + (value - this.height) * 600000).toISOString().slice(0, 10) + ".";
      }
      return "";
    },
    built() {
      const doc = this.copy(this.doc);
      const put = (path, change) => {
        const keys = path.split(".");
        const last = keys.pop();
        const at = keys.reduce((found, key) => found && found[key], doc);
        if (at && at[last] !== undefined) at[last] = change(at[last]);
      };
      for (const field of this.shown.flatMap((section) => section.fields)) {
        if (["int", "sat", "blocks", "height"].includes(field.kind)) put(field.path, this.whole);
        if (field.kind === "lines") put(field.path, (text) => String(text).split("\n").map((line) => line.trim()).filter(Boolean));
        if (field.kind !== "rows") continue;
        const counted = field.columns.filter((column) => column.kind === "int").map((column) => column.key);
        put(field.path, (rows) => rows.map((row) => ({ ...row, ...Object.fromEntries(counted.map((key) => [key, this.whole(row[key])])) })));
      }
      return doc;
    },
    wrong(field) {
      const place = this.said && this.said.place;
      return Boolean(place) && (place === field.path || place.startsWith(field.path + ".") || place.startsWith(field.path + "["));
    },
    changed() {
      for (const field of this.shown.flatMap((section) => section.fields)) this.read(field);
      this.fine = false;
      this.busy = true;
      sessionStorage.setItem(this.keep, JSON.stringify({ doc: this.doc, others: this.others }));
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.number = (this.number || 0) + 1;
        this.$emit("check", { number: this.number, text: JSON.stringify(this.built()) });
      }, WAIT_MS);
    },
    judged(number, said, state) {
      if (number !== this.number) return; // more was written meanwhile
      this.said = said;
      this.state = state;
      this.fine = !said;
      this.busy = false;
    },
    receive(topic, text) {
      window.dispatchEvent(new CustomEvent("bes:" + topic, { detail: JSON.parse(text) }));
    },
    submit() {
      if (this.fine) this.$emit("send", { text: JSON.stringify(this.built()) });
    },
    refused(said) {
      this.said = said;
    },
    taken() {
      sessionStorage.removeItem(this.keep);
    },
    reset() {
      this.doc = this.copy(this.first);
      this.others = {};
      this.changed();
    },
  },
};
