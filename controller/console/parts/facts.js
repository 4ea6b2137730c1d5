// What an order would do: figures, what the rules said, what is not included.
export default {
  template: `
    <div>
      <dl class="bes-facts" style="margin: 0"><div v-for="fact in facts" :key="fact.label"><dt>{{ fact.label }}</dt><dd>{{ fact.value }} <small>{{ fact.unit }}</small></dd></div></dl>
      <ul class="bes-lines"><li v-for="line in lines" :key="line.text" :class="{ 'bes-no': line.no }"><span>{{ line.label }}</span><b v-if="line.no">{{ line.text }}</b><template v-else>{{ line.text }}</template></li></ul>
    </div>`,
  props: { facts: Array, lines: Array },
};
