// Shared by the parts: how content arrives, colours of the theme, canvases with whole pixels, texts to copy.

export function listen(component, topic, receive) {
  const handler = (event) => receive(event.detail);
  component._besOff = component._besOff || [];
  window.addEventListener("bes:" + topic, handler);
  component._besOff.push(() => window.removeEventListener("bes:" + topic, handler));
}

export function whenThemeChanges(component, redraw) {
  const observer = new MutationObserver(redraw);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  component._besOff = component._besOff || [];
  component._besOff.push(() => observer.disconnect());
}

export function whenSizeChanges(component, element, redraw) {
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  component._besOff = component._besOff || [];
  component._besOff.push(() => observer.disconnect());
}

export function release(component) {
  for (const off of component._besOff || []) off();
  component._besOff = [];
}

export function token(name) {
  return getComputedStyle(document.body).getPropertyValue("--bes-" + name).trim();
}

export function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

export function hatch(context, colour, spacing) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = spacing;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.2;
  pen.beginPath();
  for (const shift of [-spacing, 0, spacing]) {
    pen.moveTo(shift, spacing);
    pen.lineTo(shift + spacing, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

export async function fetchOurs(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (response.status === 401) window.location.assign("/login");
  if (!response.ok) throw new Error((await response.json()).detail);
  return response;
}

export function number(value, decimals) {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return value < 0 && /[1-9]/.test(text) ? "\u2212" + text : text;
}

// Says on the component, as `said`, what came of it. Without a clipboard (no HTTPS) the text is selected instead.
export async function copyText(component, element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    component.said = "Copied";
  } catch (error) {
    window.getSelection().selectAllChildren(element);
    component.said = "Selected: press Ctrl C";
  }
  clearTimeout(component._besCopied);
  component._besCopied = setTimeout(() => (component.said = "Copy"), 3000);
}
