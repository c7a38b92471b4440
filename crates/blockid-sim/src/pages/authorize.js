"use strict";
// Without script the page works too; this keeps the instruction in step with the chosen method.
const task = document.getElementById("task");
for (const radio of document.querySelectorAll('input[name="method"]')) {
  radio.addEventListener("change", () => { task.textContent = radio.dataset.task; });
}
