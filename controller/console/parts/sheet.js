// A small table: rows of cells that the server has put into words. For thousands of rows there is the grid.
import { listen, release } from "bes-draw";

export default {
  template: `
    <div class="bes-scroll">
      <table class="bes-sheet" :class="{ 'bes-stacks': stacks }" role="table" :aria-label="caption">
        <thead role="rowgroup"><tr role="row"><th v-for="column in columns" :key="column.key" :class="{ 'bes-num': column.end, 'bes-no-phone': !column.phone }" role="columnheader" scope="col">{{ column.label }}</th></tr></thead>
        <tbody role="rowgroup">
          <tr v-for="row in rows" :key="row.id" role="row" :class="{ 'bes-quiet': row.quiet }" :data-testid="'row-' + row.id">
            <td v-for="(column, index) in columns" :key="column.key" role="cell" :data-label="column.label"
                :class="{ 'bes-num': column.end, 'bes-wrap': column.wrap, 'bes-lead': column.lead, 'bes-no-phone': !column.phone || !row.cells[index] }"
                :style="index === 0 && row.depth ? { '--bes-depth': row.depth } : null">
              <div class="bes-cell"><template v-for="cell in [row.cells[index]]">
                <template v-if="typeof cell === 'string'">{{ cell }}</template>
                <template v-else-if="cell">
                  <span v-if="cell.mark !== undefined" class="bes-mark" :class="['bes-mark-' + cell.mark, { 'bes-new': cell.new }]" style="margin-right: 8px"><span class="bes-spoken">priority </span>{{ cell.mark || '·' }}</span>
                  <a v-if="cell.href" class="bes-link" :class="{ 'bes-mono': cell.mono }" :href="cell.href" :title="cell.title">{{ cell.text }}</a>
                  <div v-else-if="cell.load !== undefined" class="bes-meter">
                    <div class="bes-track" :class="{ 'bes-near': cell.full, 'bes-over': cell.load > 100 }"><i :style="{ width: Math.min(cell.load, 100) + '%' }"></i><u></u></div>
                    <span>{{ cell.text }}</span>
                  </div>
                  <div v-else-if="cell.outcomes" class="bes-outcomes" :title="cell.text"><i v-for="part in cell.outcomes" :key="part.state" :class="'bes-o-' + part.state" :style="{ flex: part.count }"></i></div>
                  <span v-else-if="cell.tag" class="bes-tag" :class="cell.tone ? 'bes-t' + cell.tone : ''">{{ cell.text }}</span>
                  <span v-else :class="{ 'bes-dim': cell.dim, 'bes-mono': cell.mono }" :title="cell.title">{{ cell.text }}</span>
                  <button v-for="act in (operates && cell.acts) || []" :key="act.name" class="bes-button bes-small bes-order" style="margin-left: 6px"
                          :data-testid="act.name + '-' + row.id" @click="$emit('act', { id: row.id, name: act.name })">{{ act.label }}</button>
                </template>
              </template></div>
            </td>
          </tr>
        </tbody>
      </table>
      <p v-if="!rows.length" class="bes-empty">{{ empty }}</p>
    </div>`,
  props: { columns: Array, first: Array, topic: String, empty: String, caption: String, stacks: Boolean, operates: Boolean },
  emits: ["act"],
  data() {
    return { rows: this.first };
  },
  watch: {
    first(rows) {
      this.rows = rows;
    },
  },
  mounted() {
    if (this.topic) listen(this, this.topic, (content) => (this.rows = content.rows));
  },
  unmounted() {
    release(this);
  },
};
