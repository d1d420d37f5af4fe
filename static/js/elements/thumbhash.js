/**
 * Decode thumbhashes: about 25 bytes that encode a blurred picture (format: https://evanw.github.io/thumbhash/).
 *
 * A thumbhash is a cosine transform of the picture's luminance (L) and its yellow-blue (P) and red-green (Q)
 * differences. Each channel has a constant term in the header, a scale, and coefficients of four bits each, of
 * which only the triangle of low frequencies is kept. Photos are opaque; the format's alpha channel is not read.
 */

const LONG_SIDE = 32;
const HEADER_BYTES = 5;
/** Coefficients along the longer side. */
const LONG_COUNT = 7;

/** Return `{width, height, rgba}` (at most 32 × 32 pixels) for the bytes of a thumbhash. */
export function decode(bytes) {
  const header = readHeader(bytes);
  const read = coefficientReader(bytes, HEADER_BYTES);
  // The order of these calls is the order of the channels in the bytes.
  const luminance = read(header.columns, header.rows, header.luminanceScale);
  const yellowBlue = read(3, 3, header.yellowBlueScale * 1.25);
  const redGreen = read(3, 3, header.redGreenScale * 1.25);

  const ratio = header.columns / header.rows;
  const width = Math.round(ratio > 1 ? LONG_SIDE : LONG_SIDE * ratio);
  const height = Math.round(ratio > 1 ? LONG_SIDE / ratio : LONG_SIDE);
  const rgba = new Uint8ClampedArray(width * height * 4);
  const columns = Array.from({ length: width }, (_, x) => cosines(x, width));
  for (let y = 0, at = 0; y < height; y++) {
    const cosY = cosines(y, height);
    for (let x = 0; x < width; x++, at += 4) {
      const cosX = columns[x];
      const l = header.luminance + sum(luminance, cosX, cosY);
      const p = header.yellowBlue + sum(yellowBlue, cosX, cosY);
      const q = header.redGreen + sum(redGreen, cosX, cosY);
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      rgba[at] = 255 * red;
      rgba[at + 1] = 255 * (red - q);
      rgba[at + 2] = 255 * blue;
      rgba[at + 3] = 255;
    }
  }
  return { width, height, rgba };
}

/** Return a canvas with the picture of a base64 thumbhash, or null when there is none or it is damaged. */
export function thumbhashCanvas(base64) {
  if (!base64) return null;
  try {
    const bytes = Uint8Array.from(atob(base64), (symbol) => symbol.charCodeAt(0));
    const { width, height, rgba } = decode(bytes);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("aria-hidden", "true");
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    return canvas;
  } catch {
    // Without a placeholder the frame stays plain until the photo has loaded.
    return null;
  }
}

function readHeader(bytes) {
  const first = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const second = bytes[3] | (bytes[4] << 8);
  if (bytes.length < HEADER_BYTES || first >> 23 !== 0) throw new RangeError("not the thumbhash of an opaque picture");
  const landscape = second >> 15 !== 0;
  const shortCount = second & 7;
  return {
    luminance: (first & 63) / 63,
    yellowBlue: ((first >> 6) & 63) / 31.5 - 1,
    redGreen: ((first >> 12) & 63) / 31.5 - 1,
    luminanceScale: ((first >> 18) & 31) / 31,
    yellowBlueScale: ((second >> 3) & 63) / 63,
    redGreenScale: ((second >> 9) & 63) / 63,
    columns: Math.max(3, landscape ? LONG_COUNT : shortCount),
    rows: Math.max(3, landscape ? shortCount : LONG_COUNT),
  };
}

/** Return a function that reads one channel after the other: a list of [column, row, value]. */
function coefficientReader(bytes, start) {
  let index = 0;
  return (columns, rows, scale) => {
    const terms = [];
    for (let row = 0; row < rows; row++) {
      // The constant term (0, 0) is in the header; the triangle ends where column/columns + row/rows reaches 1.
      for (let column = row === 0 ? 1 : 0; column * rows < columns * (rows - row); column++) {
        const nibble = (bytes[start + (index >> 1)] >> ((index & 1) * 4)) & 15;
        terms.push([column, row, (nibble / 7.5 - 1) * scale]);
        index++;
      }
    }
    return terms;
  };
}

function cosines(position, size) {
  return Array.from({ length: LONG_COUNT }, (_, frequency) => Math.cos((Math.PI / size) * (position + 0.5) * frequency));
}

function sum(terms, cosX, cosY) {
  let total = 0;
  for (const [column, row, value] of terms) total += value * cosX[column] * cosY[row] * 2;
  return total;
}
