// Dark on white in both themes: cameras read nothing else for sure. Four light modules stand around it.
export default {
  template: `
    <svg class="bes-qr" :viewBox="'-4 -4 ' + (side + 8) + ' ' + (side + 8)" shape-rendering="crispEdges" role="img" :aria-label="label" data-testid="qr">
      <rect x="-4" y="-4" :width="side + 8" :height="side + 8" fill="#FFFFFF"/><path :d="path" fill="#000000"/>
    </svg>`,
  props: { path: String, side: Number, label: String },
};
