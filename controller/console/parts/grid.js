// The miner table: AG Grid with rows fetched from the API in blocks, so 200 and 100,000 miners cost the page the same.
// Values come as text and numbers and are never taken for markup.
import * as AgGrid from "nicegui-aggrid";
import { fetchOurs, listen, number, release, whenThemeChanges } from "bes-draw";

const BLOCK = 100;
const AGAIN_MS = 3000;
const PHONE = "(max-width: 760px)"; // as in parts.css: nothing is ordered from there for many, so nothing is selected

export default {
  template: `
    <div>
      <div class="bes-bulk bes-match"><span role="status"><b data-testid="match">{{ matching }}</b>{{ selected ? " · " + selected + " selected" : "" }}</span>
        <span class="bes-grow"></span><slot></slot></div>
      <div ref="grid" class="bes-grid" data-testid="grid"></div>
    </div>`,
  props: { url: String, base: String, columns: Array, sort: String },
  emits: ["selected", "go"],
  data: () => ({ matching: "", selected: 0 }),
  watch: {
    url() {
      this.api.deselectAll(); // nothing stays selected that is no longer shown
      this.api.ensureIndexVisible(0);
      this.api.refreshInfiniteCache();
    },
  },
  mounted() {
    AgGrid.ModuleRegistry.registerModules([AgGrid.AllCommunityModule]);
    this.api = AgGrid.createGrid(this.$refs.grid, this.options());
    const mode = () => (this.$refs.grid.dataset.agThemeMode = document.body.classList.contains("body--dark") ? "dark" : "light");
    whenThemeChanges(this, mode);
    mode();
    this.fit = () => (this.$refs.grid.style.height = Math.max(320, window.innerHeight - this.$refs.grid.getBoundingClientRect().top - window.scrollY - 46) + "px");
    listen(this, "shell", this.fit);
    window.addEventListener("resize", this.fit);
    this.fit();
    this.timer = setInterval(() => document.visibilityState === "visible" && this.api.refreshInfiniteCache(), AGAIN_MS);
  },
  unmounted() {
    clearInterval(this.timer);
    window.removeEventListener("resize", this.fit);
    release(this);
    this.api.destroy();
  },
  methods: {
    options() {
      this.phone = window.matchMedia(PHONE).matches;
      return {
        theme: AgGrid.themeQuartz.withPart(AgGrid.colorSchemeVariable),
        rowModelType: "infinite",
        cacheBlockSize: BLOCK,
        maxBlocksInCache: 20,
        infiniteInitialRowCount: 1, // a new order draws no rows that are about to be replaced
        datasource: { getRows: (wanted) => this.read(wanted) },
        columnDefs: this.columns.map((column) => this.column(column)),
        defaultColDef: { sortable: true, resizable: true, suppressMovable: true },
        rowSelection: this.phone ? undefined : { mode: "multiRow", checkboxes: true, headerCheckbox: false, enableClickSelection: false },
        selectionColumnDef: { pinned: "left", width: 44 },
        animateRows: false,
        rowBuffer: 4,
        rowHeight: this.phone ? 44 : 30,
        headerHeight: 32,
        getRowId: (row) => row.data.device_id,
        overlayNoRowsTemplate: "<span>No miner matches. Remove a filter above.</span>",
        onCellClicked: (event) => (this.phone || event.column.getColId() === "slot") && this.open(event.data),
        onCellKeyDown: (event) => event.event.key === "Enter" && this.open(event.data),
        onSortChanged: () => this.keepSort(),
        onSelectionChanged: () => this.tellSelected(),
      };
    },
    column({ field, label, width, kind, decimals }) {
      const column = { field, headerName: label, width: this.phone ? Math.min(width, 118) : width };
      if (this.sort.replace("-", "") === field) column.sort = this.sort.startsWith("-") ? "desc" : "asc";
      if (kind === "number" || kind === "power") {
        column.type = "rightAligned";
        column.valueFormatter = (cell) => (cell.value === null || cell.value === undefined ? (cell.data ? "\u2014" : "") : about(kind, cell.data) + number(cell.value, decimals));
        column.cellClass = (cell) => (cell.data && ["silent", "unpowered"].includes(cell.data.condition) ? ["ag-right-aligned-cell", "bes-c-unknown"] : "ag-right-aligned-cell");
      } else if (kind === "state") {
        column.valueFormatter = (cell) => (cell.value || "").replace("-", " ");
        column.cellClass = (cell) => (cell.value ? ["bes-state", "bes-c-" + cell.value] : []);
      } else if (kind === "age") {
        column.type = "rightAligned";
        column.valueFormatter = (cell) => age(cell.value);
      } else if (kind === "mono") {
        column.cellClass = "bes-cell-mono";
      } else if (kind === "slot") {
        column.pinned = "left";
        column.cellClass = "bes-link";
      }
      return column;
    },
    async read(wanted) {
      const [by] = wanted.sortModel;
      const sort = by ? (by.sort === "desc" ? "-" : "") + by.colId : "slot";
      try {
        const address = `${this.url}&sort=${sort}&offset=${wanted.startRow}&limit=${wanted.endRow - wanted.startRow}`;
        const page = await (await fetchOurs(address)).json();
        this.matching = `${number(page.total, 0)} of ${number(page.fleet, 0)} match`;
        wanted.successCallback(page.rows, page.total);
        if (page.total) this.api.hideOverlay();
        else this.api.showNoRowsOverlay();
      } catch (error) {
        this.matching = `Not read: ${error.message}`;
        wanted.failCallback();
      }
    },
    open(row) {
      if (row) this.$emit("go", { href: this.base + encodeURIComponent(row.device_id) });
    },
    keepSort() {
      const by = this.api.getColumnState().find((column) => column.sort);
      const address = new URL(window.location.href);
      if (by) address.searchParams.set("sort", (by.sort === "desc" ? "-" : "") + by.colId);
      else address.searchParams.delete("sort");
      history.replaceState(history.state, "", address);
    },
    tellSelected() {
      const ids = this.api.getSelectedNodes().map((node) => node.id);
      this.selected = ids.length;
      this.$emit("selected", { ids });
    },
  },
};

function about(kind, row) {
  return kind === "power" && row?.power_source === "estimated" ? "\u2248\u00a0" : "";
}

function age(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 9.95) return seconds.toFixed(1) + " s";
  return seconds < 60 ? Math.round(seconds) + " s" : Math.floor(seconds / 60) + " min";
}
