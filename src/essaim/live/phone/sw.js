// Keeps one copy of the page, so that it opens without network. Answers of the room are never kept here.
const page = new URL(registration.scope).pathname;
const kept = () => caches.match(page);
const fetched = async (request, how) => {
  const answer = await fetch(request, how);
  if (answer.ok) (await caches.open("essaim")).put(page, answer.clone());
  return answer.status < 500 ? answer : (await kept()) || answer;
};
// The visit that brought this worker was not seen by it: the browser still holds that page, nothing travels.
addEventListener("install", event => event.waitUntil(fetched(page, {cache: "force-cache"}).then(() => skipWaiting())));
addEventListener("activate", event => event.waitUntil(clients.claim()));
addEventListener("fetch", event => {
  const request = event.request;
  // A scope is a prefix: /s/AB would also catch the page of /s/ABC.
  if (request.mode != "navigate" || request.method != "GET" || new URL(request.url).pathname != page) return;
  const fresh = fetched(request);
  // A network that does not answer is worse than none: after 4 s the kept page comes first.
  const late = new Promise(done => setTimeout(done, 4000)).then(kept).then(copy => copy || fresh);
  event.respondWith(Promise.race([fresh, late]).catch(() => kept().then(copy => copy || Response.error())));
});
