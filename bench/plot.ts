/** A line chart as SVG text: x logarithmic, y from 0 or logarithmic. For a few points and a few lines. */

export interface Line {
  name: string;
  /** x above 0, growing. */
  points: [x: number, y: number][];
}

export interface Chart {
  title: string;
  x: string;
  y: string;
  /** With y logarithmic; else it begins at 0. */
  logarithmic?: boolean;
  lines: Line[];
  /** The conditions, below the chart. */
  note: string;
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 80;
const RIGHT = 150;
const TOP = 40;
const BOTTOM = 80;
const COLOURS = ["#1b6ca8", "#c8553d", "#4c8c4a", "#8a5aa8"];

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** 1024 → 1 Ki for powers of two, 1000 → 1 k else. */
function short(value: number): string {
  const binary = value >= 1024 && Number.isInteger(Math.log2(value));
  const [step, units] = binary ? [1024, ["", " Ki", " Mi", " Gi"]] : [1000, ["", " k", " M", " G"]];
  const power = value < 1 ? 0 : Math.min(3, Math.floor(Math.log(value * 1.0001) / Math.log(step as number)));
  return `${Number((value / (step as number) ** power).toPrecision(3))}${units[power]}`;
}

/** Round numbers that divide 0 … max into four to eight parts. */
function ticks(max: number): number[] {
  const rough = max / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= rough) ?? rough;
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, index) => index * step);
}

function decades(min: number, max: number): number[] {
  const first = Math.floor(Math.log10(min));
  return Array.from({ length: Math.ceil(Math.log10(max)) - first + 1 }, (_, index) => 10 ** (first + index));
}

export function chartSvg({ title, x, y, logarithmic = false, lines, note }: Chart): string {
  const all = lines.flatMap((line) => line.points);
  const xs = [...new Set(all.map(([at]) => at))].sort((a, b) => a - b);
  const ys = all.map(([, value]) => value);
  const marks = logarithmic ? decades(Math.min(...ys), Math.max(...ys)) : ticks(Math.max(...ys));
  const place = (value: number, from: number, to: number, log: boolean) =>
    log ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from);
  const px = (at: number) => LEFT + place(at, xs[0], xs[xs.length - 1], true) * (WIDTH - LEFT - RIGHT);
  const py = (value: number) =>
    HEIGHT - BOTTOM - place(value, marks[0], marks[marks.length - 1], logarithmic) * (HEIGHT - TOP - BOTTOM);
  const text = (tx: number, ty: number, words: string, more = "") =>
    `<text x="${tx.toFixed(1)}" y="${ty.toFixed(1)}" ${more}>${escaped(words)}</text>`;
  const rule = (x1: number, y1: number, x2: number, y2: number, colour: string) =>
    `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="${colour}"/>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 22, title, 'font-size="15"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 40, x, 'text-anchor="middle"'),
    text(
      0,
      0,
      y,
      `text-anchor="middle" transform="translate(18 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)"`,
    ),
    text(LEFT, HEIGHT - 12, note, 'font-size="10" fill="#666"'),
  ];
  for (const mark of marks) {
    parts.push(rule(LEFT, py(mark), WIDTH - RIGHT, py(mark), "#ddd"));
    parts.push(text(LEFT - 6, py(mark) + 4, short(mark), 'text-anchor="end"'));
  }
  for (const at of xs) {
    parts.push(rule(px(at), HEIGHT - BOTTOM, px(at), HEIGHT - BOTTOM + 5, "#333"));
    parts.push(text(px(at), HEIGHT - BOTTOM + 18, short(at), 'text-anchor="middle"'));
  }
  parts.push(rule(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#333"));
  for (const [index, { name, points }] of lines.entries()) {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([at, value]) => `${px(at).toFixed(1)},${py(value).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [at, value] of points)
      parts.push(`<circle cx="${px(at).toFixed(1)}" cy="${py(value).toFixed(1)}" r="3" fill="${colour}"/>`);
    parts.push(text(WIDTH - RIGHT + 10, TOP + 12 + 18 * index, name, `fill="${colour}"`));
  }
  return `${parts.join("\n")}\n</svg>\n`;
}
