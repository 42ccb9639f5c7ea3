// Sets the colours before the first paint: as the system says, or as the person chose.
const order = ["auto", "light", "dark"];

function applyTheme() {
  const chosen = localStorage.getItem("theme") ?? "auto";
  document.documentElement.dataset.theme = chosen;
  const button = document.getElementById("theme");
  if (button) {
    button.textContent = { auto: "◐", light: "☀", dark: "☾" }[chosen];
    button.title = button.ariaLabel = button.dataset[chosen];
  }
}

applyTheme();
document.addEventListener("DOMContentLoaded", () => {
  applyTheme();
  document.getElementById("theme").addEventListener("click", () => {
    const chosen = localStorage.getItem("theme") ?? "auto";
    localStorage.setItem("theme", order[(order.indexOf(chosen) + 1) % order.length]);
    applyTheme();
  });
});
