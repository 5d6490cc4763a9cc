// The behaviour every page shares. Pages work without it; each part is declared in the HTML:
//   data-set-theme=""|light|dark   data-copy="text"   data-print   data-open="dialog id"   data-countdown="epoch ms"   data-go="letter"
//   data-menu on <details>   data-toast="short|undo|stay"   data-close   data-focus (takes the focus on load)
//   data-stream="/live/x/stream" [data-events="plan counts"]: each event "name" of the stream reaches the elements inside
//   whose hx-trigger mentions "essaim:name", and the stream element itself as a DOM event (map.js listens to it).
const root = document.documentElement
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)]
const texts = document.getElementById("ui-texts")?.dataset ?? {}
const kept = { get: (k) => { try { return localStorage.getItem(k) } catch { return null } }, set: (k, v) => { try { localStorage.setItem(k, v) } catch { /* private mode: not remembered */ } } }

function setTheme(theme) {
  if (theme) root.dataset.theme = theme
  else delete root.dataset.theme
  document.cookie = `essaim-theme=${theme};path=/;max-age=${theme ? 31536000 : 0};samesite=lax${location.protocol === "https:" ? ";secure" : ""}`
  for (const button of $$("[data-set-theme]")) button.setAttribute("aria-pressed", button.dataset.setTheme === theme)
  document.dispatchEvent(new Event("essaim:theme"))
}

async function copy(button) {
  const label = button.querySelector("span") ?? button
  const before = label.textContent
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: button.dataset.copy })
    button.after(area)
    area.select()
    document.execCommand("copy")
    area.remove()
    button.focus()
  }
  if (before === texts.copied) return
  label.textContent = texts.copied ?? "✓"
  label.setAttribute("role", "status")
  setTimeout(() => { label.textContent = before }, 2000)
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector)
  let hit
  if ((hit = at("[data-set-theme]"))) setTheme(hit.dataset.setTheme)
  if ((hit = at("[data-copy]"))) copy(hit)
  if (at("[data-print]")) print()
  if ((hit = at("[data-open]"))) document.getElementById(hit.dataset.open)?.showModal()
  if ((hit = at("[data-close]"))) hit.closest(".toast")?.remove()
  for (const menu of $$("[data-menu][open]")) if (!menu.contains(event.target) || at("[data-open]")) menu.open = false
})

// Toasts: 6 s, 12 s with an undo, errors until closed; the clock stops while pointed at or focused.
function watchToast(toast) {
  toast.dataset.seen = ""
  if (toast.dataset.toast === "stay") return
  let left = toast.dataset.toast === "undo" ? 12 : 6
  const timer = setInterval(() => {
    if (!toast.isConnected) return clearInterval(timer)
    if (!document.hidden && !toast.matches(":hover, :focus-within") && --left <= 0) toast.remove()
  }, 1000)
}
const watchToasts = () => $$("[data-toast]:not([data-seen])").forEach(watchToast)

// Countdowns follow the server's clock, not the machine's.
const shift = Number(document.querySelector("meta[name=server-now]")?.content || Date.now()) - Date.now()
function tick() {
  for (const clock of $$("[data-countdown]")) {
    const left = Math.max(0, Math.ceil((clock.dataset.countdown - Date.now() - shift) / 1000))
    const two = (n) => String(n).padStart(2, "0")
    const hours = Math.floor(left / 3600)
    const text = left ? `${hours ? hours + ":" + two(Math.floor(left / 60) % 60) : Math.floor(left / 60)}:${two(left % 60)}` : texts.over || "0:00"
    if (clock.textContent !== text) clock.textContent = text
  }
}

function openStream(element) {
  const names = (element.dataset.events || "plan counts contributions opinion moderation").split(" ")
  const hint = document.getElementById("stream-hint")
  let wait = 1000, source, timer, lost = false
  const tell = (name, data) => {
    element.dispatchEvent(new CustomEvent(`essaim:${name}`, { detail: data }))
    for (const target of $$(`[hx-trigger*="essaim:${name}"]`, element)) window.htmx?.trigger(target, `essaim:${name}`, { data })
  }
  const start = () => {
    source = new EventSource(element.dataset.stream)
    source.onopen = () => {
      wait = 1000
      if (hint) hint.textContent = ""
      if (lost) names.forEach((name) => tell(name, "")) // what happened meanwhile is unknown: ask for everything again
      lost = false
    }
    source.onerror = () => {
      lost = true
      if (hint) hint.textContent = hint.dataset.text
      if (source.readyState !== EventSource.CLOSED) return
      clearTimeout(timer)
      timer = setTimeout(start, wait * (0.5 + Math.random()))
      wait = Math.min(30000, wait * 2)
    }
    for (const name of names) source.addEventListener(name, (event) => tell(name, event.data))
  }
  addEventListener("pagehide", () => { clearTimeout(timer); source.close() })
  addEventListener("pageshow", (event) => { if (event.persisted) start() })
  start()
}

// Single-key shortcuts can be switched off (WCAG 2.1.4); they never fire while one types.
let afterG = 0
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of $$("[data-menu][open]")) { menu.open = false; menu.querySelector("summary").focus() }
  if (event.ctrlKey || event.metaKey || event.altKey || kept.get("essaim-keys") === "off") return
  if (event.target.closest?.("input, select, textarea, dialog, [contenteditable]")) return
  if (event.key === "?") document.getElementById("shortcuts")?.showModal()
  else if (event.key === "/") {
    const field = document.querySelector("[type=search], .filters :is(input, select)")
    if (field) { event.preventDefault(); field.focus() }
  } else if (event.key === "g") afterG = Date.now()
  else if (Date.now() - afterG < 1500) { afterG = 0; document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click() }
})

// An action that was refused while htmx asked for it (base/refusals.py): said in a toast that stays.
document.addEventListener("essaim:refused", (event) => {
  const toast = Object.assign(document.createElement("div"), { className: "toast" })
  toast.dataset.toast = "stay"
  toast.append(Object.assign(document.createElement("p"), { textContent: event.detail.detail }))
  const close = Object.assign(document.createElement("button"), { type: "button", className: "close", textContent: "✕" })
  close.dataset.close = ""
  close.setAttribute("aria-label", texts.dismiss || "✕")
  toast.append(close)
  document.getElementById("toasts")?.append(toast)
})

const keys = document.querySelector("[data-keys]")
if (keys) {
  keys.checked = kept.get("essaim-keys") !== "off"
  keys.addEventListener("change", () => kept.set("essaim-keys", keys.checked ? "on" : "off"))
}
watchToasts()
new MutationObserver(watchToasts).observe(document.getElementById("toasts") ?? document.createElement("i"), { childList: true })
$$("[data-stream]").forEach(openStream)
const focusFirst = () => document.querySelector("[data-focus]")?.focus()
focusFirst()
addEventListener("load", () => setTimeout(focusFirst)) // an address with a #fragment takes the focus away meanwhile
tick()
setInterval(tick, 500)
