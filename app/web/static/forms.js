// Small comforts of forms; without them they work the same with one press more.
export function forms() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }
  for (const form of document.querySelectorAll("form[method=get]")) {
    // Addresses stay short: what is empty is left out.
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    });
    addEventListener("pageshow", () => {
      for (const field of form.elements) field.disabled = false;
    });
  }
  for (const select of document.querySelectorAll("select[data-submit]")) {
    // With the mouse a choice is meant; with arrow keys one only passes by, and presses Enter.
    let typing = false;
    select.addEventListener("keydown", (event) => {
      typing = true;
      if (event.key === "Enter") select.form.requestSubmit();
    });
    select.addEventListener("pointerdown", () => (typing = false));
    select.addEventListener("change", () => typing || choose(select));
  }
}

function choose(select) {
  // Another aggregator has other group fields: what was looked for does not carry over.
  if (select.name === "aggregator") {
    for (const field of select.form.querySelectorAll("input[type=text]")) field.value = "";
  }
  select.form.requestSubmit();
}
