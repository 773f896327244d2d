// The console's own script. Every page works without it; what is here makes pages quicker to read and use.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
  const words = () => document.body.dataset; // translated words that scripts show stand in data- attributes of <body>

  // ---- theme: the form's buttons post to the server; here the change is shown at once
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-set-theme]");
    if (!button) return;
    event.preventDefault();
    const theme = button.dataset.setTheme;
    root.dataset.theme = theme;
    document.cookie = `sluice_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
    for (const other of all("[data-set-theme]")) other.setAttribute("aria-pressed", String(other === button));
  });

  // ---- times: shown in the reader's own zone, relative ones kept fresh
  const absolute = new Intl.DateTimeFormat(root.lang || undefined, { dateStyle: "medium", timeStyle: "long" });
  const clock = new Intl.DateTimeFormat(root.lang || undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
  const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, i) => values[i]);
  function duration(seconds) { // as the server writes it, so that nothing jumps when a live part arrives
    const w = words(), hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60);
    if (seconds < 100) return fill(w.textS, Math.floor(seconds));
    if (hours < 1) return fill(w.textMin, minutes);
    if (hours >= 48) return fill(w.textD, Math.floor(hours / 24));
    return minutes % 60 && hours < 10 ? fill(w.textHMin, hours, minutes % 60) : fill(w.textH, hours);
  }
  function ago(date) {
    const seconds = (Date.now() - date) / 1000;
    if (Math.abs(seconds) < 5) return words().textNow;
    return fill(seconds < 0 ? words().textIn : words().textAgo, duration(Math.abs(seconds)));
  }
  function times(from = document) {
    for (const node of all("time[datetime]", from)) {
      const date = new Date(node.dateTime);
      if (isNaN(date)) continue;
      const text = node.dataset.show === "clock" ? clock.format(date) : node.dataset.show === "absolute" ? absolute.format(date) : ago(date);
      if (node.textContent !== text) node.textContent = text;
      node.title = absolute.format(date);
    }
  }
  setInterval(() => { if (!document.hidden) times(); }, 10000);

  // ---- copy buttons
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from ? from.textContent : button.dataset.copyText);
      const label = button.querySelector("[data-label]") ?? button;
      const before = label.textContent;
      label.textContent = words().textCopied;
      setTimeout(() => { label.textContent = before; }, 1600);
    } catch { getSelection().selectAllChildren(from ?? button); }
  });

  // ---- menus: one open at a time, closed by Escape or a click elsewhere, never cut off by a scrolling table
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.("details.menu") || !menu.open) return;
    for (const other of all("details.menu[open], details.user-menu[open]")) if (other !== menu) other.open = false;
    const panel = menu.querySelector(".menu-panel");
    if (!panel || !menu.closest(".table-scroll")) return;
    const anchor = menu.getBoundingClientRect();
    panel.style.position = "fixed";
    panel.style.right = "auto";
    panel.style.left = Math.max(8, Math.min(anchor.right, innerWidth - 8) - panel.offsetWidth) + "px";
    const below = anchor.bottom + 4;
    panel.style.top = (below + panel.offsetHeight > innerHeight ? Math.max(8, anchor.top - 4 - panel.offsetHeight) : below) + "px";
  }, true);
  const closeMenus = (except) => { for (const menu of all("details.menu[open], details.user-menu[open]")) if (!menu.contains(except)) menu.open = false; };
  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("scroll", (event) => { if (event.target !== document && event.target.contains?.(document.querySelector("details.menu[open]"))) closeMenus(null); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open], details.user-menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
    const toggle = document.getElementById("nav-toggle");
    if (toggle?.checked) toggle.checked = false;
  });

  // ---- dialogs: sections of the page that become modal
  function dialogs(from = document) {
    for (const dialog of all("dialog[data-modal][open]", from)) {
      if (dialog.matches(":modal")) continue;
      dialog.close();
      if (dialog.dataset.modal === "now") dialog.showModal();
    }
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.openDialog);
    if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); return; }
    const closer = event.target.closest("[data-close-dialog]");
    if (closer?.closest("dialog:modal")) { event.preventDefault(); closer.closest("dialog").close(); }
  });

  // ---- confirming by typing a name: the button waits for it (the server checks it again)
  function confirms(from = document) {
    for (const input of all("input[data-confirm-name]", from)) {
      const button = input.form?.querySelector("[data-confirm-button]");
      if (!button || input.dataset.ready) continue;
      input.dataset.ready = "1";
      const check = () => { button.disabled = input.value.trim() !== input.dataset.confirmName; };
      input.addEventListener("input", check);
      check();
    }
  }

  // ---- pickers with a search box, selection of rows
  function narrow(search) {
    const wanted = search.value.trim().toLowerCase();
    for (const item of all(".picker-item", search.closest(".picker"))) item.hidden = !item.textContent.toLowerCase().includes(wanted) && !item.querySelector("input").checked;
  }
  document.addEventListener("input", (event) => { if (event.target.matches("[data-picker-search]")) narrow(event.target); });
  function selection(form) {
    const boxes = all("[data-select-row]", form);
    const chosen = boxes.filter((box) => box.checked).length;
    const every = form.querySelector("[data-select-all]");
    if (every) { every.hidden = false; every.checked = chosen > 0 && chosen === boxes.length; every.indeterminate = chosen > 0 && chosen < boxes.length; }
    const count = form.querySelector("[data-selected-count]");
    if (count) count.textContent = (chosen === 0 ? words().textNoneSelected : words().textSelected).replace("{0}", chosen);
    for (const button of all("[data-needs-selection]", form)) button.disabled = chosen === 0;
  }
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form) return;
    if (event.target.matches("[data-select-all]")) for (const box of all("[data-select-row]", form)) box.checked = event.target.checked;
    if (event.target.matches("[data-select-all], [data-select-row]")) selection(form);
    if (event.target.matches("[data-submit-on-change]")) form.requestSubmit();
  });

  // ---- logs: lines arrive over an event stream; following stops when the reader scrolls up
  const mostLines = 2000;
  function follow(log) {
    if (log.dataset.following) return;
    log.dataset.following = "1";
    let stream = null;
    const pinned = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const newest = document.querySelector("[data-log-newest]");
    const close = () => { stream?.close(); stream = null; };
    const open = () => {
      if (stream || document.hidden || log.dataset.paused === "true" || !log.isConnected) return;
      const last = log.querySelector(".log-line:last-child")?.dataset.id; // lines are details or divs: not last-of-type
      stream = new EventSource(log.dataset.follow + (last ? (log.dataset.follow.includes("?") ? "&" : "?") + "after=" + encodeURIComponent(last) : ""));
      stream.onopen = () => lost(false);
      stream.onerror = () => lost(true);
      stream.addEventListener("lines", (event) => {
        const chosen = getSelection();
        const stay = !pinned() || (!chosen.isCollapsed && log.contains(chosen.anchorNode));
        log.insertAdjacentHTML("beforeend", event.data);
        times(log);
        if (stay) { if (newest) newest.hidden = false; return; } // what is being read does not move
        while (log.childElementCount > mostLines) log.firstElementChild.remove();
        log.scrollTop = log.scrollHeight;
      });
    };
    newest?.addEventListener("click", () => { log.scrollTop = log.scrollHeight; newest.hidden = true; });
    log.addEventListener("scroll", () => { if (newest && pinned()) newest.hidden = true; });
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    const pause = document.querySelector("[data-log-follow]");
    pause?.addEventListener("change", () => { log.dataset.paused = String(!pause.checked); pause.checked ? open() : close(); });
    document.querySelector("[data-log-wrap]")?.addEventListener("change", (event) => log.classList.toggle("log-wrap", event.target.checked));
    log.scrollTop = log.scrollHeight;
    open();
  }

  // ---- htmx: the form token goes with every request; hidden tabs do not poll; a lost connection says so
  const notice = () => document.getElementById("lost");
  function lost(is) { const node = notice(); if (node) node.hidden = !is; }
  document.addEventListener("htmx:config:request", (event) => {
    const ctx = event.detail.ctx, token = meta("csrf-token");
    if (token) ctx.request.headers["X-CSRF-Token"] = token;
    ctx.fetch = async (...request) => { const answer = await fetch(...request); await released; return answer; };
  });
  // Pressing the mouse on a button leaves a field, which has it checked. If the answer moved the button before the mouse
  // is let go, there would be no click: answers wait for that. Scroll bars swallow the end, which the next move tells.
  let released = Promise.resolve();
  const longestPress = 10000; // ms
  document.addEventListener("pointerdown", () => {
    const done = new AbortController();
    released = new Promise((resolve) => {
      const letGo = () => { done.abort(); setTimeout(resolve); }; // after the click
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, letGo, { capture: true, signal: done.signal });
      addEventListener("pointermove", (event) => { if (event.buttons === 0) letGo(); }, { capture: true, signal: done.signal });
      setTimeout(letGo, longestPress);
    });
  }, true);
  // live parts stay as they are while somebody is at work in them, or in the field of a form that they stand in
  const began = new WeakMap(); // what a field held when the keyboard came to it
  document.addEventListener("focusin", (event) => began.set(event.target, event.target.value));
  document.addEventListener("change", (event) => began.set(event.target, event.target.value));
  function atWork(part) {
    const here = document.activeElement, form = part?.closest("form");
    return !!part?.querySelector("details.menu[open], dialog:modal, [data-select-row]:checked, input:focus, select:focus, textarea:focus") ||
      !!form && (all(".htmx-request", form).some((node) => !part.contains(node)) || form.contains(here) && began.has(here) && began.get(here) !== here.value);
  }
  const polled = (ctx) => ctx.sourceEvent?.type === "every";
  document.addEventListener("htmx:before:request", (event) => {
    const ctx = event.detail.ctx;
    if (polled(ctx) && (document.hidden || atWork(ctx.target))) event.preventDefault();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks = [] } = event.detail;
    if (polled(ctx) && atWork(ctx.target)) { event.preventDefault(); return; } // work that began since it was asked
    for (const task of tasks) unfolded(task.fragment);
    keepFocus(ctx.target);
  });
  // what somebody unfolded or folded stays so, unless there is something wrong in it
  function unfolded(fragment) {
    for (const fold of all("details[id]", fragment)) {
      const old = document.getElementById(fold.id);
      if (old && !fold.querySelector("[aria-invalid=true]")) fold.open = old.open;
    }
  }
  // the keyboard stays at what it was at, also when that moves; never at something that took its place
  const purpose = (node) => node.getAttribute("formaction") ?? node.getAttribute("href") ?? node.getAttribute("aria-label");
  function keepFocus(part) {
    const here = document.activeElement;
    if (!part?.contains(here) || !here.matches("a, button, summary")) return;
    const what = purpose(here);
    if (!what) return;
    document.addEventListener("htmx:after:swap", () => {
      if (document.activeElement === here ? purpose(here) === what : document.activeElement !== document.body) return;
      const same = all(here.localName, document.getElementById(part.id) ?? document).find((node) => purpose(node) === what);
      if (same) same.focus({ preventScroll: true }); else here.blur();
    }, { once: true });
  }
  // a list that arrives late for a field takes away neither what stands there by now nor the keyboard
  const given = (field) => all("input:not([type=search])", field).filter((input) => input.type !== "checkbox" || input.checked)
    .flatMap((input) => input.value.split(",")).map((value) => value.trim()).filter(Boolean).sort().join();
  document.addEventListener("htmx:before:swap", (event) => {
    const here = document.activeElement;
    const tasks = event.detail.tasks ?? [];
    for (const task of tasks.filter((task) => task.type === "partial" && task.target instanceof Element)) {
      if (given(task.target) !== given(task.fragment)) tasks.splice(tasks.indexOf(task), 1);
      else if (task.target.contains(here)) document.addEventListener("htmx:after:swap", () => document.getElementById(here.id)?.focus(), { once: true });
    }
  });
  document.addEventListener("htmx:after:request", (event) => {
    const status = event.detail.ctx.response?.status;
    if (status === 401) location.reload(); // the session ended: the server leads to the sign-in page and back
    else lost(status === 502 || status === 503 || status === 504);
  });
  document.addEventListener("htmx:error", (event) => { if (event.detail.error instanceof TypeError) lost(true); });
  addEventListener("offline", () => lost(true));
  addEventListener("online", () => lost(false));

  function ready(from = document) {
    times(from); dialogs(from); confirms(from);
    for (const form of all("form[data-selection]", from)) selection(form);
    for (const log of all("[data-follow]", from)) follow(log);
    for (const node of all("[data-js-only]", from)) node.hidden = false;
    for (const node of all("[data-no-js]", from)) node.hidden = true;
    for (const search of all("[data-picker-search]", from)) if (search.value) narrow(search);
  }
  document.addEventListener("htmx:after:settle", (event) => ready(event.target.parentElement ?? document));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => ready());
  else ready();
})();
