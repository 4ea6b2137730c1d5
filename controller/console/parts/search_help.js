// What can be asked for, folded away below the search; `?` opens it.
export default {
  template: `
    <details class="bes-help" data-testid="search-help">
      <summary>How to search</summary>
      <p class="bes-text">Words between spaces must all hold. <code>*</code> stands for any letters, a comma for "or", a leading
        <code>-</code> for "not"; quotes keep spaces together. Other text is looked for in id, slot, address and serial.</p>
      <dl><div v-for="field in fields" :key="field.example"><dt><code>{{ field.example }}</code></dt><dd>{{ field.meaning }}</dd></div></dl>
    </details>`,
  props: { fields: Array },
};
