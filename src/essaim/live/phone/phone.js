// The phone page, made quick and fit for bad networks. Written for phones of 2018 (ES2017).
// What people wrote enters the page as text; only what the server has escaped (/me) enters it as HTML.
(() => {
const $ = id => document.getElementById(id);
const all = (query, node) => Array.from((node || document).querySelectorAll(query));
const boot = JSON.parse($("boot").textContent), T = boot.t, key = "essaim-" + boot.room;
const LONGEST = 280, TO_PLACE = 7;

const say = (name, n, m) => T[name].replace("{n}", n).replace("{m}", m);
const show = (id, yes) => { if ($(id)) $(id).hidden = !yes; };
const write = (id, text) => { if ($(id).textContent != text) $(id).textContent = text; };
const tell = (text, bad) => { write("said", text || ""); $("said").className = bad ? "bad" : ""; };
const on = (node, name, action) => node.addEventListener(name, action);

// ---- What is kept on the phone: shared by its tabs, and only in memory where storage is refused.
// out: batches sealed as text, sent again unchanged until acknowledged; votes, ratings, ideas: not sealed yet.
let S = {seq: 0, out: [], votes: {}, ratings: {}, ideas: [], given: {}, rated: {}, deck: [], seen: 0, n: 0};
// full: what cannot be written any more must not be read back either.
let full = false;
const keep = change => {
  try { if (!full) S = JSON.parse(localStorage[key]); } catch (error) {}
  if (change) change(S);
  try { localStorage[key] = JSON.stringify(S); } catch (error) { full = true; }
};
const now = () => Date.now() + S.shift;
const size = s => Object.keys(s.votes).length + Object.keys(s.ratings).length + s.ideas.length;
const sealed = s => s.out.map(body => JSON.parse(body));
const pending = () => sealed(S).reduce((n, one) => n + size(one), size(S));

// Forgets a ticket. Ideas are kept (their ids stop doubles); votes that may have been counted are not sent again.
const forget = s => {
  s.ideas = s.ideas.concat(...sealed(s).map(one => one.ideas));
  Object.assign(s, {who: null, out: [], given: Object.assign({}, s.votes), rated: {}, deck: [], n: 0});
};

// ---- Talking to the room
let busy = false, tries = 0, timer = 0, down = false, heard = 0, place = null;
// The time over which a whole room may spread what all its phones do at once: within the grace for late answers.
const spread = () => Math.min(S.state.participants / 10, 12e3) * Math.random();
// Quick in a small room; the larger the room, the longer everything is gathered.
const pace = ms => (ms + Math.min(S.state.participants, 1e4)) * (1 + .3 * Math.random());
const ask = (path, body) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 2e4);
  return fetch(path, {
    method: body ? "POST" : "GET", body: body, cache: "no-store", signal: stop.signal,
    headers: body ? {"Content-Type": "application/json"} : {}
  });
};
// Gives {status: 0} when there is no network; `body` as it was written, byte for byte.
const call = async (name, body) => {
  const asked = Date.now(), found = {status: 0, json: {}};
  try {
    const answer = await ask("/live/" + boot.room + "/" + name, body);
    found.after = answer.headers.get("Retry-After");
    found.json = await answer.json();
    found.status = answer.status;
    heard = Date.now();
  } catch (error) {}
  down = !found.status;
  const state = name == "state" && found.status == 200 ? found.json : found.json.state;
  if (state) keep(s => {
    const took = Date.now() - asked;
    // The quickest answer knows the time best, for a while.
    if (took < (s.took *= 1.1)) s.shift = state.now - asked - (s.took = took) / 2;
    if (s.state.paused && !state.paused) later(spread());
    if (state.rev >= s.state.rev) s.state = state;
  });
  deal(found.json.next);
  return found;
};
// Full jitter, and what the server asks for.
const backoff = (n, found) => 1e3 * Math.max(Math.random() * Math.min(16, .25 * 2 ** n), (found.after || 0) * (1 + Math.random()));
const later = ms => { clearTimeout(timer); timer = setTimeout(send, ms); };
const soon = () => {
  if (!tries) later(size(S) < 5 && S.deck.length > 2 ? pace(1e3) : spread() / 3);
  paint();
};
const seal = () => keep(s => {
  if (!size(s)) return;
  const votes = Object.keys(s.votes).slice(0, 50), ratings = Object.keys(s.ratings).slice(0, 50);
  // The time is a number that grows even where nothing can be kept.
  s.seq = Math.max(s.seq + 1, Math.round(now()));
  s.out.push(JSON.stringify({
    seq: s.seq, votes: votes.map(id => [Number(id), s.votes[id]]),
    ratings: ratings.map(id => [parseInt(id), id.split(" ")[1], s.ratings[id]]), ideas: s.ideas.splice(0, 5)
  }));
  votes.forEach(id => delete s.votes[id]);
  ratings.forEach(id => delete s.ratings[id]);
});
const send = async () => {
  keep();
  if (busy || S.who == null) return;
  if (!S.out.length) seal();
  const body = S.out[0];
  if (!body) return;
  busy = true;
  const found = await call("batch", body), status = found.status, code = found.json.code;
  busy = false;
  const drop = () => { tries = 0; keep(s => { s.out = s.out.filter(one => one != body); }); };
  if (status == 200) {
    drop();
    refused(found.json.refused, JSON.parse(body));
    if (JSON.parse(body).ideas.length) meet();
    if (pending()) later(200);
  } else if (/closed|ended/.test(code)) {
    const lost = (S.lost || 0) + pending();
    keep(s => Object.assign(s, {lost: lost, out: [], votes: {}, ratings: {}, ideas: []}));
  } else if (status == 409) {
    // Paused or frozen: kept, and tried again now and then.
    later(2e4 * (1 + Math.random()));
  } else if (status == 401) {
    // The page says so and offers to join again; the queue stays.
    location.search = "notice=bad-ticket";
  } else if (status >= 400 && status < 500 && status != 429) {
    drop();
    tell(T.refused, true);
  } else {
    tries = Math.min(tries + 1, 6);
    later(backoff(tries, found));
  }
  paint();
};
const refused = (list, batch) => {
  if (list.length) tell(T[list[0].code] || T.refused, true);
  keep(s => list.forEach(one => {
    const entry = batch[one.what][one.index];
    if (one.what == "votes") s.n--;
    // What was written comes back into its field, to be changed or copied.
    if (one.what == "ideas" && !words.value) { words.value = s.text = entry.text; }
  }));
};
// The page may never come back: what waits leaves now, and stays in the queue until a later answer.
const leaving = () => {
  if (S.who == null) return;
  seal();
  S.out.forEach(body => navigator.sendBeacon("/live/" + boot.room + "/batch", new Blob([body], {type: "application/json"})));
};
const poll = async () => {
  setTimeout(poll, pace(3e3));
  if (document.hidden) return;
  // Every answer carries the state: whoever votes need not ask for it.
  if (Date.now() - heard > 2500) await call("state");
  refill();
  if (tab == "me") meet();
  paint();
};
// Already while people draft, so that nobody waits when the vote begins.
const refill = () => { if (S.who != null && S.deck.length < 5 && !pending()) call("next").then(paint); };
const deal = next => {
  if (next) keep(s => {
    const known = s.deck.map(one => one.id);
    s.deck = s.deck.concat(next.filter(one => !(one.id in s.given) && !known.includes(one.id)));
  });
};
// My place and what became of my contributions: drawn and escaped by the server.
const meet = async () => {
  if (S.who == null) return;
  try {
    const answer = await ask(boot.path + "/me");
    const parts = (await answer.text()).split("<hr>");
    if (answer.status == 200) { $("map").innerHTML = parts[0]; $("list").innerHTML = parts[1]; waiting(); }
  } catch (error) {}
};

// ---- What is shown
let tab = "", was = "", last = null, flip = 0;
// Everybody changes phase by the same clock, with or without network.
const phase = () => {
  const state = S.state, at = state.paused ? state.paused_at : now(), plan = state.plan;
  const begun = plan.filter(one => one.starts_at != null && one.starts_at <= at), one = begun[begun.length - 1];
  const next = plan.find(one => one.starts_at > at);
  if (state.phase == "closed") return {name: "closed"};
  if (one && (one.ends_at == null || at < one.ends_at)) return {name: one.name, left: one.ends_at && one.ends_at - at};
  return {name: !one ? "waiting" : begun.length < plan.length ? "between" : "closed", left: next && next.starts_at - at};
};
const paint = () => {
  const here = phase(), live = here.name in {draft: 1, compare: 1}, focus = document.activeElement;
  const at = here.name == "closed" ? "end" : S.who == null ? "join" : live ? here.name : "wait";
  const open = (at == "draft" ? ["idea", "rate"] : at == "compare" ? ["vote", "idea", "me"] : [])
    .filter(id => $(id) && (id != "idea" || at == "draft" || $("re")));
  document.body.dataset.at = at;
  // At the very instant of the plan, not at the next second.
  clearTimeout(flip);
  if (here.left < 1e3) flip = setTimeout(paint, here.left);
  if (at != was) {
    // Somebody in the middle of a sentence stays where they are.
    if (!(focus == words && words.value && open.includes(tab))) tab = open[0];
    if (was) {
      later(spread());
      setTimeout(refill, spread());
      setTimeout(meet, 1e3 + 6 * spread());
    }
    was = at;
  }
  for (const id of ["join", "wait", "end"]) show(id, id == at);
  for (const id of ["vote", "idea", "rate", "me"]) show(id, id == tab || (id == "me" && at == "end" && S.who != null));
  show("mine", tab == "idea" || !$("me").hidden);
  show("tabs", open[1]);
  for (const link of all("#tabs a")) {
    const id = link.hash.slice(1);
    link.hidden = !open.includes(id);
    link.setAttribute("aria-current", id == tab);
  }
  if (focus.closest("[hidden]")) land();
  const stop = live && (S.state.frozen ? T.frozen : S.state.paused ? T.paused : "");
  show("hold", stop);
  write("hold", stop || "");
  for (const node of all("fieldset.votes,#back button,.main")) node.disabled = !!stop && at != "join";
  const n = pending(), off = down || navigator.onLine === false;
  write("net", n && (off || tries) ? say("queue", n) : off ? T.offline : "");
  show("now", live && at != "join");
  write("phase", T[here.name] || "");
  write("late", S.lost ? say("lost", S.lost) : "");
  if (at == "wait") write("soon", T[here.name]);
  const s = Math.ceil(here.left / 1e3), text = here.left ? Math.floor(s / 60) + ":" + ("0" + s % 60).slice(-2) : "";
  write(at == "wait" ? "start" : "clock", text);
  card();
};
const land = () => {
  const title = $(tab || was);
  (title.querySelector("h2[tabindex]") || title).focus();
};
const turn = id => {
  tab = id;
  tell();
  meet();
  paint();
  land();
  scrollTo(0, 0);
};

// ---- Voting
const card = () => {
  const one = S.deck[0];
  show("ballot", one);
  show("none", !one && (down || !pending()));
  show("reply", one && $("re"));
  write("what", one ? one.text : "");
  write("tag", one ? [label("option", one.item), label("input", one.kind)].filter(Boolean).join(" · ") : "");
  const more = one && S.n < TO_PLACE;
  write("done", more ? say("to_place", TO_PLACE - S.n) : say("votes", S.n));
  $("dots").value = S.n;
  show("dots", more);
};
// The names of places and kinds are already in the form.
const label = (tag, value) => {
  const box = all("#idea " + tag).find(one => value != null && one.value == value);
  return box ? (box.text || box.parentNode.textContent).trim() : "";
};
let tapped = 0;
const vote = button => {
  keep();
  const one = S.deck[0];
  // A second tap within a blink is for the statement that has just gone.
  if (!one || button.matches(":disabled") || Date.now() - tapped < 250) return;
  tapped = Date.now();
  last = one;
  keep(s => {
    s.deck.shift();
    if (!(one.id in s.given)) s.n++;
    s.votes[one.id] = s.given[one.id] = Number(button.value);
  });
  write("last", say("last", button.textContent));
  show("back", true);
  tell();
  soon();
};
on($("ballot"), "click", event => {
  const button = event.target.closest("button");
  event.preventDefault();
  if (button) vote(button);
});
on($("back"), "submit", event => {
  event.preventDefault();
  const id = last ? last.id : event.target.elements.sid.value;
  keep(s => {
    s.votes[id] = null;
    delete s.given[id];
    s.n--;
    if (last) s.deck = [last].concat(s.deck.filter(one => one.id != id));
  });
  last = null;
  show("back");
  soon();
  $("vote").focus();
});
// Only while the focus is in the voting part, which has no field (WCAG 2.1.4).
on($("vote"), "keydown", event => {
  const button = all("#ballot button")[event.key - 1];
  if (button && !event.ctrlKey && !event.altKey && !event.metaKey) vote(button);
});

// ---- Contributing
const idea = $("idea").querySelector("form"), words = idea.elements.text;
const count = () => write("count", words.value.length + " / " + LONGEST);
const answering = one => {
  if (!$("re")) return;
  idea.elements.re.checked = !!one;
  idea.elements.re.value = one ? one.id : "";
  show("re", one);
  $("re").querySelector("q").textContent = one ? one.text : "";
  // An argument is about what it answers: no place and no kind to choose.
  for (const node of all(".where")) node.hidden = node.disabled = !!one;
};
const contribute = (node, kind) => {
  const form = new FormData(node), text = form.get("text").trim(), number = name => form.get(name) ? Number(form.get(name)) : null;
  node.elements.text.value = "";
  if (text) keep(s => {
    s.text = "";
    s.ideas.push({
      id: Date.now().toString(36) + Math.random().toString(36).slice(1, 9).replace(".", "-"),
      text: text, item: number("item"), kind: kind || form.get("kind"), re: number("re")
    });
  });
  waiting();
  soon();
};
on(idea, "submit", event => {
  event.preventDefault();
  contribute(idea);
  answering();
  count();
  if (!tries) later(100);
  tell(T.thanks);
  words.focus();
});
on(words, "input", () => { keep(s => { s.text = words.value; }); count(); });
on($("reply"), "click", event => { event.preventDefault(); answering(S.deck[0]); turn("idea"); });
if ($("re")) on(idea.elements.re, "change", () => answering());
// What has not been acknowledged yet stands above what the server knows.
const waiting = () => {
  for (const node of all("#list .pending")) node.remove();
  for (const one of S.ideas.concat(...sealed(S).map(one => one.ideas))) {
    const node = document.createElement("li"), note = document.createElement("small");
    node.className = "pending";
    note.textContent = T.pending;
    node.append(one.text, note);
    $("list").prepend(node);
  }
};

// ---- Rating
if ($("rate")) {
  const form = $("rate").querySelector("form"), select = form.querySelector("select"), items = Array.from(select.options);
  const radios = all("[type=radio]", form), name = radio => select.value + " " + radio.name.slice(6);
  const full = item => radios.every(radio => item.value + " " + radio.name.slice(6) in S.rated);
  const draw = () => {
    for (const radio of radios) radio.checked = S.rated[name(radio)] == radio.value;
    const n = items.filter(full).length;
    write("rated", say("rated", n, items.length));
    $("bar").value = n;
  };
  on(form, "change", event => {
    const radio = event.target;
    if (radio.type == "radio") {
      keep(s => { s.rated[name(radio)] = s.ratings[name(radio)] = Number(radio.value); });
      soon();
    }
    draw();
  });
  on(form, "submit", event => {
    event.preventDefault();
    contribute(form, "reason");
    const here = select.selectedIndex, next = items.slice(here).concat(items).find(item => !full(item));
    if (next) select.value = next.value;
    tell(next ? T.thanks : T.all_rated);
    draw();
    select.focus();
  });
  // After the page has begun, below.
  setTimeout(draw);
}

// ---- Coming in
const door = $("join").querySelector("form"), brought = location.hash.slice(1).split("=");
// #pass=… or #code=…: behind the hash it stays out of the logs of servers.
if (brought[1] && door.elements[brought[0]]) {
  door.elements[brought[0]].value = decodeURIComponent(brought[1]);
  door.hidden = false;
  show("pass");
}
const knock = async n => {
  const form = {}, button = door.querySelector("button");
  form.waiting = place;
  new FormData(door).forEach((value, name) => { form[name] = value && name == "unit" ? Number(value) : value || null; });
  button.disabled = true;
  const found = await call("join", JSON.stringify(form)), status = found.status;
  if (status == 201) {
    keep(s => { s.who = found.json.participant; });
    tell();
    paint();
    land();
    later(200);
  } else if (!status || status == 429 || status > 499) {
    // In a crowd everybody gets a number, and comes in by that order.
    place = found.json.number || place;
    setTimeout(knock, backoff(n, found), Math.min(n + 1, 6));
    tell(status ? say("crowd", found.json.ahead || "…") : T.offline);
    return;
  } else tell(T[found.json.code] || status == 401 && T["bad-pass"] || T.refused, true);
  button.disabled = false;
  paint();
};
on(door, "submit", event => { event.preventDefault(); knock(1); });

// ---- Life of the page
keep(s => {
  // A page reopened without network is an old one: what was kept since then is newer than what it says.
  if (boot.state.now <= s.seen) return;
  // The same phone as somebody else: what was sent under the former ticket must not count twice.
  if (s.who != null && boot.who != s.who) forget(s);
  s.seen = boot.state.now;
  s.took = 2e3;
  s.shift = s.seen - Date.now();
  s.state = boot.state;
  s.who = boot.who;
  if (s.who == null) return;
  s.n = boot.n + Object.keys(s.votes).length;
  s.rated = Object.assign(boot.rated, s.ratings);
  s.deck = boot.next.filter(one => !(one.id in s.given));
});
words.value = S.text || "";
answering();
count();
waiting();
paint();
if (pending()) later(spread());
// No pass and no old message in the address that people share.
history.replaceState(null, "", boot.path);
setInterval(paint, 1e3);
setTimeout(poll, 1e4 * Math.random());
on($("tabs"), "click", event => {
  event.preventDefault();
  if (event.target.hash) turn(event.target.hash.slice(1));
});
on(document, "visibilitychange", () => {
  if (document.hidden) return leaving();
  later(spread());
  call("state").then(paint);
});
on(window, "pagehide", leaving);
on(window, "online", () => { tries = 0; down = false; later(spread()); paint(); });
if (navigator.serviceWorker) navigator.serviceWorker.register(boot.path + "/sw.js", {scope: boot.path}).catch(() => 0);
})();
