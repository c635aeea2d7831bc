// Light, dark, or what the system says: kept in this browser.
(() => {
  const key = "heimdall-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (localStorage.getItem(key) || (system.matches ? "dark" : "light")) === "dark";
  document.documentElement.lang = "en";
  const apply = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    if (window.setDark) window.setDark(dark()); // NiceGUI's
  };
  window.heimdallTheme = () => {
    localStorage.setItem(key, dark() ? "light" : "dark");
    apply();
  };
  system.addEventListener("change", apply);
  apply();
  // NiceGUI's own script comes after this one.
  addEventListener("load", () => setTimeout(apply, 0));
  addEventListener("popstate", () => window.emitEvent?.("went", location.search)); // NiceGUI's
  // Quasar's bar of what is being loaded has no name to say.
  addEventListener("load", () => document.getElementById("q-loading-bar")?.setAttribute("aria-hidden", "true"));
})();
