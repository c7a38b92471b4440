/** Elements without markup in texts: whatever a name or a message holds, it stays text. */

/**
 * @param {string} name Element, with classes: `p.soft`.
 * @param {Record<string, any>} [properties] Attributes; `on…` are listeners.
 * @param {...(Node | string | null | undefined | false)} children
 */
export function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A labelled field. */
export function field(label, attributes, hint) {
  const id = attributes.id ?? attributes.name;
  const hintId = hint ? `${id}-hint` : undefined;
  return h(
    "label",
    { for: id },
    label,
    hint && h("span.hint", { id: hintId }, hint),
    h("input", { id, "aria-describedby": hintId, required: true, ...attributes }),
  );
}

/** Says something to screen readers. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

/** Runs `work` once at a time; what it throws goes to `failed`. */
export function busy(button, work, failed) {
  return async (event) => {
    event?.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await work(event);
    } catch (error) {
      failed(error);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
}
