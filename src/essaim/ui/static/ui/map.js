// The big screen's map: up to 100,000 people drawn point by point on one canvas, no library, no GPU needed.
//   <div class="screen-map"><canvas data-map="/live/x/map" role="img" aria-label="…"></canvas></div>   inside a [data-stream]
// Layout of the answer (live/answers.py), little endian, 5 bytes a person: x int16 | y int16 | group uint8 (255 = none).
// Coordinates fill -32767..32767; points come sorted by place, so a point is nobody in particular.
// Group colours are the tokens --group-a ... --group-h.
const still = matchMedia("(prefers-reduced-motion: reduce)")

export function decode(buffer) {
  if (buffer.byteLength % 5) throw new RangeError("the map must hold 5 bytes a person")
  const view = new DataView(buffer), count = buffer.byteLength / 5
  const x = new Float32Array(count), y = new Float32Array(count), group = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    x[i] = view.getInt16(5 * i, true) / 32767
    y[i] = view.getInt16(5 * i + 2, true) / 32767
    group[i] = view.getUint8(5 * i + 4)
  }
  return { count, x, y, group }
}

function rgb(token) {
  const probe = document.createElement("canvas").getContext("2d")
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(token).trim() || "#888"
  const value = parseInt(probe.fillStyle.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

// One little-endian RGBA word a group: "A" to "H", then the grey of people in no group.
const palette = () => Uint32Array.from([..."abcdefgh"].map((l) => `--group-${l}`).concat("--pass"), (t) => {
  const [r, g, b] = rgb(t)
  return (255 << 24) | (b << 16) | (g << 8) | r
})

// The middle of each group: its letter is written there, so that colour never stands alone.
function middles({ count, x, y, group }) {
  const sums = new Map()
  for (let i = 0; i < count; i++) {
    if (group[i] > 7) continue
    const sum = sums.get(group[i]) ?? [0, 0, 0]
    sum[0] += x[i]; sum[1] += y[i]; sum[2]++
    sums.set(group[i], sum)
  }
  return [...sums].map(([g, [sx, sy, n]]) => ({ letter: "ABCDEFGH"[g], x: sx / n, y: sy / n }))
}

class CrowdMap {
  constructor(canvas) {
    this.canvas = canvas
    this.context = canvas.getContext("2d", { alpha: true })
    this.colours = palette()
    this.now = { count: 0, x: [], y: [], group: [] }
    this.etag = ""
    this.letters = []
    new ResizeObserver(() => this.resize()).observe(canvas)
    document.addEventListener("essaim:theme", () => { this.colours = palette(); this.paint(1) })
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.colours = palette(); this.paint(1) })
    canvas.closest("[data-stream]")?.addEventListener("essaim:opinion", () => this.load())
    this.load()
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1)
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio))
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio))
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height)
    this.words = new Uint32Array(this.image.data.buffer)
    this.paint(1)
  }

  async load() {
    if (this.loading) { this.again = true; return }
    this.loading = true
    try {
      const answer = await fetch(this.canvas.dataset.map, { headers: this.etag ? { "If-None-Match": this.etag } : {} })
      if (answer.status === 200) {
        this.etag = answer.headers.get("ETag") || ""
        this.show(decode(await answer.arrayBuffer()))
      }
    } catch { /* the next event asks again; the last map stays */ }
    this.loading = false
    if (this.again) { this.again = false; this.load() }
  }

  show(next) {
    this.before = this.now
    this.now = next
    this.letters = middles(next)
    cancelAnimationFrame(this.frame)
    if (still.matches || document.hidden || this.before.count === 0) return this.paint(1)
    const begin = performance.now()
    const step = (at) => {
      const t = Math.min(1, (at - begin) / 700)
      this.paint(t * t * (3 - 2 * t))
      if (t < 1) this.frame = requestAnimationFrame(step)
    }
    this.frame = requestAnimationFrame(step)
  }

  paint(t) {
    if (!this.image) return
    const { width, height } = this.canvas, { now, before, words, colours } = this
    const size = Math.max(2, Math.round(Math.min(width, height) / (now.count > 20000 ? 420 : now.count > 2000 ? 240 : 110)))
    const scale = Math.min(width, height) / 2 - size * 2, left = width / 2, top = height / 2
    words.fill(0)
    for (let i = 0; i < now.count; i++) {
      const old = t < 1 && i < before.count
      const px = (left + scale * (old ? before.x[i] + (now.x[i] - before.x[i]) * t : now.x[i]) - size / 2) | 0
      const py = (top - scale * (old ? before.y[i] + (now.y[i] - before.y[i]) * t : now.y[i]) - size / 2) | 0
      const colour = colours[Math.min(8, now.group[i])]
      for (let dy = 0; dy < size; dy++) {
        const row = (py + dy) * width + px
        for (let dx = 0; dx < size; dx++) words[row + dx] = colour
      }
    }
    this.context.putImageData(this.image, 0, 0)
    if (t === 1) this.write(left, top, scale)
    this.canvas.dataset.drawn = now.count
  }

  write(left, top, scale) {
    const style = getComputedStyle(document.documentElement), pen = this.context
    const size = Math.max(14, Math.min(this.canvas.width, this.canvas.height) / 22)
    pen.font = `700 ${size}px ${style.getPropertyValue("--font")}`
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    pen.lineWidth = Math.max(2, size / 10)
    for (const { letter, x, y } of this.letters) {
      pen.beginPath()
      pen.arc(left + scale * x, top - scale * y, size, 0, 7)
      pen.fillStyle = style.getPropertyValue("--surface")
      pen.fill()
      pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--text")
      pen.stroke()
      pen.fillText(letter, left + scale * x, top - scale * y + size / 16)
    }
  }
}

document.querySelectorAll("canvas[data-map]").forEach((canvas) => new CrowdMap(canvas))
