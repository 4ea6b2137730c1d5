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

// What the page holds already, as a file on the person's machine; `binary` texts are base64.
export function saveFile(name, text, binary) {
  const content = binary ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : text;
  const url = URL.createObjectURL(new Blob([content]));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A file as text: its own where it is plain text, base64 of its bytes where it is not.
export async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.every((byte) => (byte >= 32 && byte < 127) || byte === 10 || byte === 13 || byte === 9)) {
    return new TextDecoder().decode(bytes);
  }
  let letters = "";
  for (let at = 0; at < bytes.length; at += 0x8000) letters += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(letters);
}
