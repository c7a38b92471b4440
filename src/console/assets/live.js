// Keeps the parts of a page that are marked as live up to date. Without it the same page is complete, and is loaded again by hand.
const PAUSE_MS = 1500;

async function refresh() {
  const live = document.querySelectorAll("[data-live]");
  if (live.length === 0) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of live) {
        const now = page.getElementById(part.id);
        if (now && now.innerHTML !== part.innerHTML) part.replaceWith(now);
        else if (now && !now.hasAttribute("data-live")) part.removeAttribute("data-live");
      }
    }
  } catch {
    // The next time may do better; the page says how old it is.
  }
  setTimeout(refresh, PAUSE_MS);
}

setTimeout(refresh, PAUSE_MS);
