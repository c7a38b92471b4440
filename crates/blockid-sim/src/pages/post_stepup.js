"use strict";
// As on the real service the page does not know its parent's origin; the receiver checks ours and the frame.
const message = JSON.parse(document.getElementById("message").dataset.message);
if (window.parent !== window) {
  window.parent.postMessage(message, "*");
} else {
  document.getElementById("note").textContent = message.error
    ? "The step-up was not completed. You can close this page."
    : "The step-up is complete. This page was not opened in a frame, so nobody was told; you can close it.";
}
