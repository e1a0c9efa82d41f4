
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const S = data.strings;
  const $ = (id) => document.getElementById(id);
  const severities = ["", "low", "medium", "high", "critical"];
  const symbols = { encrypted: "✓", optional: "~", plaintext: "✗", broken: "✗", unknown: "?" };
  const verdicts = {
    fail: ["fail", "✗ failed"], unknown: ["unknown", "? unknown"],
    pass: ["pass", "✓ passed"], excepted: ["excepted", "– excepted"], notApplicable: ["na", "– not applicable"],
  };
  const meanings = {
    encrypted: "Data cannot travel readable here.",
    optional: "Neither side refuses plaintext, so data may travel readable.",
    plaintext: "Data travels readable here.",
    broken: "The two ends do not fit: no data gets through.",
    unknown: "Nothing that was read shows whether data is encrypted here.",
  };

  // el makes an element. Text is always text: nothing here parses markup.
  const el = (tag, attributes, ...children) => {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attributes || {})) {
      if (v === undefined || v === null || v === false) continue;
      if (k === "on") for (const [name, f] of Object.entries(v)) e.addEventListener(name, f);
      else e.setAttribute(k, v === true ? "" : v);
    }
    for (const c of children.flat()) {
      if (c === undefined || c === null || c === false || c === "" || c === 0) continue;
      e.append(c);
    }
    return e;
  };
  const icon = (name) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(ns, "use");
    use.setAttribute("href", "#i-" + name);
    svg.append(use);
    return svg;
  };
  const number = (n) => n.toLocaleString("en-US");
  const plural = (n, one, many) => number(n) + " " + (n === 1 ? one : many || one + "s");

  document.documentElement.classList.add("scripted");
  for (const li of document.querySelectorAll("[data-grow]")) li.style.flexGrow = li.dataset.grow;

  // Theme: what the system says, until the reader says otherwise.
  const themes = ["auto", "light", "dark"];
  const store = (f) => { try { return f(window.localStorage); } catch { return null; } };
  let theme = store((s) => s.getItem("eksafe-theme")) || "auto";
  const dress = () => {
    if (!themes.includes(theme)) theme = "auto";
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("theme").textContent = "Theme: " + theme;
  };
  $("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    store((s) => s.setItem("eksafe-theme", theme));
    dress();
  });
  dress();

  // pager shows items of a list as the reader comes near its end.
  const pager = (container, sentinel, chunk, make) => {
    let items = [], shown = 0;
    const more = (n) => {
      const part = document.createDocumentFragment();
      for (const item of items.slice(shown, shown + n)) part.append(make(item));
      shown = Math.min(items.length, shown + n);
      container.append(part);
      sentinel.hidden = shown >= items.length;
    };
    new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting) && shown < items.length) more(chunk);
    }, { rootMargin: "900px" }).observe(sentinel);
    return {
      show(list) { items = list; shown = 0; container.replaceChildren(); more(chunk); },
      atLeast(n) { if (shown < n) more(n - shown); },
    };
  };

  // Findings.
  const marks = (counts) => severities.slice(1).reverse()
    .map((name, i) => counts[i] ? el("span", { class: "mark " + name }, counts[i] + " " + name) : null).filter(Boolean);
  const counted = (list) => {
    const counts = [0, 0, 0, 0];
    for (const i of accusing(list)) counts[4 - data.findings[i].s]++;
    return counts;
  };
  const accusing = (list) => (list || []).filter((i) => !data.findings[i].ex);
  const worst = (list) => severities[Math.max(...list.map((i) => data.findings[i].s))];
  const placeOf = (f) => el("div", { class: "where" }, [S[f.w], S[f.x], S[f.f]].filter((s, i, all) => s && all.indexOf(s) === i).join(" · "));
  const controlLink = (index) => {
    const id = S[data.controls[index].id];
    return el("button", { type: "button", class: "linkish", title: S[data.controls[index].t], on: { click: () => openControl(index) } }, id);
  };
  const hanging = (list) => el("ul", { class: "hang" }, list.map((i) => {
    const f = data.findings[i];
    return el("li", { class: severities[f.s] },
      el("span", { class: "mark " + severities[f.s] }, severities[f.s]), " ",
      el("span", { class: "m" }, S[f.m]), placeOf(f),
      S[f.ctx] && el("div", { class: "hint" }, S[f.ctx]), f.ex && el("div", { class: "hint" }, S[f.ex]), controlLink(f.c));
  }));

  // Pictures.
  const explain = (opener, app, content) => {
    const old = app.querySelector(".detail");
    const same = opener.getAttribute("aria-expanded") === "true";
    for (const b of app.querySelectorAll("[aria-expanded=true]")) b.setAttribute("aria-expanded", "false");
    if (old) old.remove();
    if (same) return;
    opener.setAttribute("aria-expanded", "true");
    const shut = () => { panel.remove(); opener.setAttribute("aria-expanded", "false"); opener.focus(); };
    const panel = el("div", { class: "detail", role: "region", "aria-label": "Details", tabindex: "-1", on: { keydown: (e) => { if (e.key === "Escape") shut(); } } }, content);
    panel.firstChild.prepend(el("button", { type: "button", class: "close", "aria-label": "Close details", on: { click: shut } }, "×"));
    app.append(panel);
    panel.scrollIntoView({ block: "nearest" });
  };
  const facts = (pairs) => {
    const dl = el("dl", { class: "facts" });
    for (const [k, v] of pairs) if (v) dl.append(el("dt", null, k), el("dd", null, v));
    return dl;
  };
  const fieldset = (title, list) => list && list.length
    ? el("div", null, el("h5", null, plural(list.length, "finding") + " here"), hanging(list))
    : el("div", null, el("h5", null, title));
  const hopDetail = (from, h, to) => [
    el("div", null,
      el("div", { class: "verdict " + h.c }, icon(h.c), h.c),
      el("h4", null, S[from.n] + " → " + S[to.n]),
      el("p", null, S[h.why] || meanings[h.c]),
      facts([
        ["Means", meanings[h.c]],
        ["Protocol", [S[h.p], h.o ? "port " + h.o : ""].filter(Boolean).join(", ")],
        ["Encrypted by", S[h.by]],
        ["Peer verified", S[h.v]],
        ["Written at", h.at && h.at.map((p) => el("div", { class: "where" }, [S[p.w], S[p.s], S[p.f]].filter(Boolean).join(" · ")))],
      ])),
    fieldset("No finding hangs on this hop", h.f),
  ];
  const nodeDetail = (n) => [
    el("div", null, el("h4", null, S[n.n]), el("p", null, S[n.d]), facts([["Identity", el("span", { class: "where" }, S[n.i])]])),
    fieldset("No finding hangs on this node", n.f),
  ];
  const drawNode = (n, app, again) => el("button", {
    type: "button", class: "node" + (again ? " again" : ""), "aria-expanded": "false",
    on: { click: (e) => explain(e.currentTarget, app, nodeDetail(n)) },
  }, icon(n.ic), el("span", { class: "name" }, S[n.n]), el("span", { class: "what" }, again ? "the same as above" : S[n.d]),
  n.f && el("span", { class: "marks" }, marks(counted(n.f))));
  const drawHop = (from, h, to, app) => el("button", {
    type: "button", class: "hop " + h.c, "aria-expanded": "false",
    "aria-label": `${S[from.n]} to ${S[to.n]}: ${h.c}. ${S[h.why]}`, title: S[h.why],
    on: { click: (e) => explain(e.currentTarget, app, hopDetail(from, h, to)) },
  }, icon(h.c), el("span", { class: "word" }, symbols[h.c] + " " + h.c),
  el("span", { class: "proto" }, [S[h.p], h.o ? ":" + h.o : ""].join(" ").trim()),
  el("span", { class: "why" }, S[h.why]),
  accusing(h.f).length && el("span", { class: "bubble " + worst(accusing(h.f)), title: plural(accusing(h.f).length, "finding") }, String(accusing(h.f).length)));
  const order = ["broken", "plaintext", "optional", "unknown", "encrypted"];
  const drawTree = (n, app, again) => el("div", { class: "tree" }, drawNode(n, app, again),
    n.next && el("ul", { class: "kids" }, n.next.map((b) => {
      const colour = order.find((c) => b.hops.some((h) => h.c === c));
      return el("li", { class: "kid" },
        el("div", { class: "pipe " + colour }, b.hops.map((h) => drawHop(n, h, b.to, app))),
        drawTree(b.to, app, b.again));
    })));
  const exposure = [["no entry known", ""], ["internal", "net"], ["reachable from the internet", "net"]];
  const verdictOf = (a) => a.bad ? "plaintext" : a.unk ? "unknown" : "encrypted";
  const drawApp = (a) => {
    const app = el("article", { class: "app" });
    app.append(
      el("div", { class: "app-head" },
        el("h3", null, S[a.ns] && S[a.ns] !== S[a.n] && el("span", { class: "ns" }, S[a.ns] + " / "), S[a.n]),
        el("span", { class: "tag " + exposure[a.x][1] }, exposure[a.x][0]),
        marks(a.sev),
        el("span", { class: "score " + verdictOf(a) }, `${symbols[verdictOf(a)]} ${a.enc} of ${plural(a.hops, "hop")} encrypted`)),
      el("div", { class: "picture", tabindex: "-1" }, a.roots.map((r) => drawTree(r, app, false))));
    if (a.rep) app.append(el("details", { class: "reported" }, el("summary", null, plural(a.rep.length, "finding") + " also reported by other tools"),
      el("ul", null, a.rep.map((r) => el("li", null, S[r])))));
    if (a.om) app.append(el("p", { class: "count" }, plural(a.om, "more path") + " not drawn"));
    return app;
  };
  const appPager = pager($("apps"), $("apps-end"), 8, drawApp);
  for (const a of data.apps) a.hay = (S[a.ns] + "/" + S[a.n]).toLowerCase();
  let showing = "all";
  const filterApps = () => {
    const words = $("path-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const list = data.apps.filter((a) =>
      (showing === "all" || (showing === "bad" && a.bad) || (showing === "unknown" && a.unk) || (showing === "clean" && !a.bad && !a.unk)) &&
      words.every((w) => a.hay.includes(w)));
    appPager.show(list);
    if (!list.length) $("apps").append(el("p", { class: "nothing" }, data.apps.length ? "No application matches." : "No path was found: no load balancer, database or volume leads to or from a workload that was read."));
    $("path-count").textContent = (list.length === data.apps.length ? plural(list.length, "application") : `${number(list.length)} of ${plural(data.apps.length, "application")}`) +
      (data.pathless ? `; ${number(data.pathless)} more without a path` : "");
  };
  $("path-filters").hidden = data.apps.length < 5;
  $("path-text").addEventListener("input", filterApps);
  for (const b of document.querySelectorAll("[data-show]")) {
    b.addEventListener("click", () => {
      showing = b.dataset.show;
      for (const o of document.querySelectorAll("[data-show]")) o.setAttribute("aria-pressed", String(o === b));
      filterApps();
    });
  }
  filterApps();

  // The list of findings, by root cause.
  for (const f of data.findings) {
    f.hay = [S[f.m], S[f.x], S[f.f], S[f.w], S[f.ctx], S[data.controls[f.c].id], S[data.controls[f.c].t]].join("\n").toLowerCase();
  }
  const drawCause = ({ members }) => {
    const lead = data.findings[members[0]];
    const controls = [...new Set(members.map((i) => data.findings[i].c))];
    const subjects = new Set(members.map((i) => data.findings[i].x));
    const li = el("li", { class: "cause " + severities[lead.s] },
      el("span", { class: "sev" }, severities[lead.s]),
      el("div", { class: "body" }, el("div", { class: "m" }, S[lead.m]),
        el("div", { class: "places" }, placeOf(lead)),
        S[lead.ctx] && el("div", { class: "ctx" }, S[lead.ctx]),
        members.every((i) => data.findings[i].old) && el("div", { class: "hint" }, "known in the baseline")),
      el("div", { class: "ids" }, controls.slice(0, 4).map((c) => el("div", null, controlLink(c)))));
    if (subjects.size > 1) {
      const list = el("ul", { class: "members", hidden: true });
      const button = el("button", {
        type: "button", class: "linkish", "aria-expanded": "false",
        on: {
          click: () => {
            list.hidden = !list.hidden;
            button.setAttribute("aria-expanded", String(!list.hidden));
            if (list.childElementCount) return;
            for (const i of members.slice(0, 500)) list.append(el("li", null, placeOf(data.findings[i])));
            if (members.length > 500) list.append(el("li", null, `and ${number(members.length - 500)} more; narrow the filter to see them`));
          },
        },
      }, `and ${number(subjects.size - 1)} more like it`);
      li.querySelector(".body").append(el("p", { class: "more" }, button), list);
    }
    return li;
  };
  const causePager = pager($("causes"), $("causes-end"), 40, drawCause);
  const active = new Set(severities.slice(1));
  const open = data.findings.filter((f) => !f.ex).length;
  const option = (select, values) => { for (const [v, t] of values) select.append(el("option", { value: v }, t)); };
  option($("namespace"), [...new Set(data.findings.map((f) => S[f.ns]))].filter(Boolean).sort().map((n) => [n, n]));
  option($("control"), [...new Set(data.findings.map((f) => f.c))].map((c) => S[data.controls[c].id]).sort().map((n) => [n, n]));
  const filterFindings = () => {
    const words = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const namespace = $("namespace").value, control = $("control").value;
    const match = (f) => active.has(severities[f.s]) && (!namespace || S[f.ns] === namespace) &&
      (!control || S[data.controls[f.c].id] === control) && words.every((w) => f.hay.includes(w));
    const list = [];
    let n = 0;
    for (const all of data.causes) {
      const members = all.filter((i) => match(data.findings[i]));
      if (members.length) { list.push({ members }); n += members.length; }
    }
    causePager.show(list);
    if (!list.length) $("causes").append(el("li", { class: "nothing" }, data.findings.length ? "No finding matches." : "Nothing was found."));
    $("finding-count").textContent = (n === open ? plural(n, "finding") : `${number(n)} of ${plural(open, "finding")}`) +
      (n ? `, ${plural(list.length, "cause")}` : "");
  };
  const press = () => {
    for (const b of document.querySelectorAll("[data-filter-severity]")) b.setAttribute("aria-pressed", String(active.has(b.dataset.filterSeverity)));
  };
  for (const id of ["text", "namespace", "control"]) $(id).addEventListener("input", filterFindings);
  for (const b of document.querySelectorAll("[data-filter-severity]")) {
    b.addEventListener("click", () => {
      const s = b.dataset.filterSeverity;
      if (!active.delete(s)) active.add(s);
      press();
      filterFindings();
    });
  }
  for (const b of document.querySelectorAll("[data-severity]")) {
    b.addEventListener("click", () => {
      active.clear();
      active.add(b.dataset.severity);
      press();
      filterFindings();
      $("findings").scrollIntoView();
    });
  }
  $("finding-filters").hidden = !data.findings.length;
  filterFindings();

  // Markdown as far as the documentation of controls uses it.
  const inline = (text) => {
    const out = [];
    let rest = text;
    for (let m; (m = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)|<(https:\/\/[^>\s]+)>/.exec(rest));) {
      out.push(rest.slice(0, m.index));
      if (m[1]) out.push(el("code", null, m[1]));
      else if (m[2]) out.push(el("b", null, m[2]));
      else out.push(el("a", { href: m[4] || m[5], rel: "noreferrer noopener", target: "_blank" }, m[3] || m[5]));
      rest = rest.slice(m.index + m[0].length);
    }
    return [...out, rest];
  };
  const prose = (markdown) => {
    const out = el("div", { class: "prose" });
    const lines = markdown.split("\n");
    for (let i = 0; i < lines.length;) {
      const line = lines[i];
      if (!line.trim()) { i++; continue; }
      if (line.startsWith("```")) {
        const code = [];
        for (i++; i < lines.length && !lines[i].startsWith("```"); i++) code.push(lines[i]);
        i++;
        out.append(el("pre", null, code.join("\n")));
      } else if (/^#+ /.test(line)) {
        out.append(el("h4", null, inline(line.replace(/^#+ /, ""))));
        i++;
      } else if (/^[-*] /.test(line)) {
        const list = el("ul");
        while (i < lines.length && /^([-*] | {2})/.test(lines[i])) {
          let item = lines[i++].replace(/^[-*] /, "");
          while (i < lines.length && /^ {2}/.test(lines[i])) item += " " + lines[i++].trim();
          list.append(el("li", null, inline(item)));
        }
        out.append(list);
      } else {
        const words = [];
        do words.push(lines[i++].trim()); while (i < lines.length && lines[i].trim() && !/^(#+ |[-*] |```)/.test(lines[i]));
        out.append(el("p", null, inline(words.join(" "))));
      }
    }
    return out;
  };

  // Controls, by family.
  const drawn = [];
  const families = new Map();
  data.controls.forEach((c, i) => {
    const name = S[c.fam] || "controls";
    if (!families.has(name)) families.set(name, []);
    families.get(name).push(i);
  });
  for (const [name, list] of families) {
    const box = el("div", { class: "family" }, el("h3", null, name));
    for (const i of list) {
      const c = data.controls[i];
      const [kind, word] = verdicts[c.v] || verdicts.unknown;
      const d = el("details", { class: "control " + kind },
        el("summary", null, el("span", { class: "v" }, word), el("span", null, S[c.t]), el("span", { class: "id" }, S[c.id])));
      d.addEventListener("toggle", () => {
        if (!d.open || d.querySelector(".inner")) return;
        d.append(el("div", { class: "inner" },
          S[c.why] && el("p", null, el("b", null, S[c.why])),
          el("p", { class: "hint" }, [plural(c.n, "resource") + " judged", c.exp ? plural(c.exp, "resource") + " must be so and " + (c.exp === 1 ? "does" : "do") + " not count" : ""].filter(Boolean).join("; ")),
          prose(S[c.md]),
          c.refs && el("ul", null, c.refs.map(([n, u]) => el("li", null, S[u] ? el("a", { href: S[u], rel: "noreferrer noopener", target: "_blank" }, S[n]) : S[n]))),
          S[c.url] && el("p", null, el("a", { href: S[c.url], rel: "noreferrer noopener", target: "_blank" }, "Reference")),
          el("p", { class: "where" }, "eksafe controls explain " + S[c.id])));
      });
      drawn[i] = d;
      box.append(d);
    }
    $("control-list").append(box);
  }
  if (!data.controls.length) $("control-list").append(el("p", { class: "nothing" }, "No control was run."));
  function openControl(i) {
    drawn[i].open = true;
    drawn[i].scrollIntoView({ block: "center" });
    drawn[i].querySelector("summary").focus({ preventScroll: true });
  }

  // Paper holds more than a screen, and shows what a screen folds.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    appPager.atLeast(100);
    causePager.atLeast(500);
    folded = [...document.querySelectorAll("details.source:not([open])")];
    for (const d of folded) d.open = true;
  });
  window.addEventListener("afterprint", () => { for (const d of folded) d.open = false; });
})();
