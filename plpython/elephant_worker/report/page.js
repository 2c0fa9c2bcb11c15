"use strict";
(() => {

const report = JSON.parse(document.getElementById("document").textContent);
const span = report.made_at - report.since; // seconds

// The gravest first. The letter says what the colour says.
const STATES = {
  "failed": { letter: "F" },
  "timed out": { letter: "T" },
  "lost": { letter: "L" },
  "missed": { letter: "M", hollow: true },
  "cancelled": { letter: "C", hollow: true },
  "skipped": { letter: "S", hollow: true },
  "running": { letter: "R" },
  "succeeded": { letter: "\u2713" },
};
const FAILURES = ["failed", "timed out", "lost"];
const classOf = (state) => state.replace(" ", "-");

// --- what is written into the page: always as text, never as markup ---

const $ = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Of unknown direction.
const text = (value, tag = "bdi", attributes = {}) => element(tag, { dir: "auto", ...attributes }, String(value));

const badge = (state) =>
  element("span", { class: `badge ${classOf(state)}${STATES[state].hollow ? " hollow" : ""}`, "aria-hidden": "true" }, STATES[state].letter);

const count = (number, one, many = one + "s") => `${number.toLocaleString()} ${number === 1 ? one : many}`;

const formats = new Map();
function inZone(seconds, options, timeZone) {
  const key = JSON.stringify([options, timeZone]);
  if (!formats.has(key)) {
    try {
      formats.set(key, new Intl.DateTimeFormat(undefined, { ...options, timeZone }));
    } catch {
      formats.set(key, null); // a zone that browsers do not know
    }
  }
  return formats.get(key)?.format(seconds * 1000);
}
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DAY = { weekday: "short", day: "numeric", month: "short" };
const MOMENT = { ...DAY, hour: "2-digit", minute: "2-digit" };
const moment = (seconds, options = MOMENT) => inZone(seconds, options);
const readersZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

// The reader's time, and the job's where it is another one.
function bothTimes(seconds, zone) {
  const mine = inZone(seconds, { ...DAY, ...TIME });
  if (!zone || zone === readersZone) return mine;
  const theirs = inZone(seconds, TIME, zone);
  return theirs ? `${mine} (${theirs} ${zone})` : `${mine} (the job follows ${zone})`;
}

function duration(seconds) {
  if (seconds < 0.0005) return "0 s";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const place = units.findIndex(([size]) => Math.round(seconds) >= size);
  const [size, unit] = units[place];
  const whole = Math.floor(Math.round(seconds) / size);
  const rest = units[place + 1] ? Math.floor((Math.round(seconds) - whole * size) / units[place + 1][0]) : 0;
  return `${whole} ${unit}${rest ? ` ${rest} ${units[place + 1][1]}` : ""}`;
}

const period = span < 3 * 86400 && span % 3600 < 60 ? count(Math.round(span / 3600), "hour") : span % 86400 < 60 ? count(Math.round(span / 86400), "day") : duration(span);

// --- the jobs, and their runs in order ---

const jobs = report.jobs.map((job, place) => {
  const marks = [];
  for (const [state, runs] of Object.entries(job.runs)) {
    runs.due.forEach((due, index) => {
      const number = runs.count ? runs.count[index] : 1;
      const mark = { state, due, late: runs.late[index] ?? 0, took: runs.took[index] ?? 0, count: number, slot: number > 1 ? runs.slot : undefined };
      // A group fills its slot of the time, unless it would hide what went well there.
      const wide = mark.slot && state === "succeeded";
      mark.begin = wide ? Math.floor(due / mark.slot) * mark.slot : due;
      mark.end = wide ? Math.min(mark.begin + mark.slot, span) : due + Math.max(mark.late, 0) + mark.took;
      marks.push(mark);
    });
  }
  marks.sort((one, other) => one.due - other.due);
  const runsIn = (states) => marks.reduce((sum, mark) => sum + (states.includes(mark.state) ? mark.count : 0), 0);
  const name = job.job ?? (job.job_id ? `job ${job.job_id}` : "commands of run_once() and on_failure_command");
  return {
    ...job, place, marks, name,
    failed: runsIn(FAILURES),
    count: marks.reduce((sum, mark) => sum + mark.count, 0),
    longest: Math.max(0, ...marks.map((mark) => mark.took)),
    latest: Math.max(0, ...marks.map((mark) => mark.late)),
    found: [name, job.rolname, job.datname, job.server, job.schedule, job.timezone].join("\n").toLowerCase(),
  };
});
const byNumber = new Map(jobs.map((job) => [job.job_id, job]));
const troubled = new Set(report.problems.map((problem) => problem.job_id));
const place = (job) => [job.rolname && `role ${job.rolname}`, job.datname && `database ${job.datname}`, job.server && `server ${job.server}`].filter(Boolean).join(", ");

// --- what is asked for ---

let words = [];
const wanted = new Set(); // states; none: all
const matches = (found) => words.every((word) => found.includes(word));
const listeners = [];
function filter() {
  words = $("query").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const listener of listeners) listener();
}
// Find one job, and show its lane.
function show(job) {
  $("query").value = job.name;
  wanted.clear();
  drawStates();
  filter();
  timeline.select(job);
  $("timeline").scrollIntoView({ block: "center" });
  $("lanes").focus({ preventScroll: true });
}

function drawStates() {
  $("states").replaceChildren(...Object.keys(STATES).filter((state) => report.runs[state]).map((state) =>
    element("button", {
      type: "button", class: classOf(state), "aria-pressed": String(wanted.has(state)),
      onclick: () => { if (!wanted.delete(state)) wanted.add(state); drawStates(); filter(); },
    }, badge(state), ` ${state} ${report.runs[state].toLocaleString()}`)));
}

// --- parts of the page ---

function drawHeader() {
  const title = `Jobs of ${report.cluster ? `${report.cluster}, ` : ""}${report.database}`;
  document.title = title;
  $("title").append(text(title));
  $("subtitle").append(`The last ${period} up to ${moment(report.made_at, { ...DAY, year: "numeric", hour: "2-digit", minute: "2-digit" })}, times in ${readersZone}. `,
    report.sees_all ? "All jobs" : "Jobs that role ", report.sees_all ? "" : text(report.role), report.sees_all ? "." : " may see.");
  const total = (states) => states.reduce((sum, state) => sum + (report.runs[state] ?? 0), 0);
  const runs = total(Object.keys(STATES).filter((state) => !["missed", "skipped"].includes(state)));
  const failed = total(FAILURES);
  const shown = jobs.length < report.jobs_total ? `, ${count(jobs.length, "shown", "shown")}` : "";
  const tile = (value, label, kind = "") => element("li", { class: kind }, element("strong", {}, value), element("span", {}, label));
  $("tiles").append(
    tile(report.reason ? report.running ? "! waits" : "! off" : "\u2713 well", "worker", report.reason ? "bad" : "good"),
    tile(report.problems_total.toLocaleString(), report.problems_total === 1 ? "needs attention" : "need attention", report.problems_total ? "bad" : "good"),
    tile(runs.toLocaleString(), "runs"),
    tile(failed.toLocaleString(), failed ? `failed, ${(100 * failed / runs).toPrecision(2)} %` : "failed", failed ? "bad" : ""),
    tile(total(["missed", "skipped"]).toLocaleString(), "missed or skipped"),
    tile(report.jobs_total.toLocaleString(), `job${report.jobs_total === 1 ? "" : "s"}${shown}`));
  $("footer").append(`elephant_worker ${report.version}. This page fetches nothing and sends nothing.`);
}

let problemsShown = 8;
function drawProblems() {
  const found = report.problems.filter((problem) =>
    matches([problem.problem, problem.job, problem.rolname, problem.datname, problem.what].join("\n").toLowerCase()));
  const items = found.slice(0, problemsShown).map((problem) => {
    const job = byNumber.get(problem.job_id);
    const mild = ["late", "missed", "overrun", "skipping", "paused"].includes(problem.problem);
    const copy = (event) => {
      const range = document.createRange();
      range.selectNodeContents(event.currentTarget.previousSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      event.currentTarget.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    };
    return element("li", { class: mild ? "mild" : "" },
      element("div", {},
        element("span", { class: `badge ${mild ? "timed-out" : "failed"}` }, `${mild ? "" : "! "}${problem.problem}`),
        job ? element("button", { type: "button", class: "link", onclick: () => show(job) }, text(problem.job)) : problem.job ? text(problem.job, "b") : null,
        element("span", { class: "soft" },
          problem.rolname ? " \u00b7 " : "", problem.rolname ? text(place(problem)) : "",
          problem.since ? `${problem.rolname ? " \u00b7 " : ""}for ${duration(Math.max(0, report.made_at - problem.since))}, since ${moment(problem.since)}` : "")),
      text(problem.what, "p", { class: "what" }),
      problem.remedy ? element("div", { class: "remedy" }, element("code", { dir: "ltr" }, problem.remedy),
        element("button", { type: "button", onclick: copy, "aria-label": "Copy what to do" }, "Copy")) : null);
  });
  if (!items.length) items.push(element("li", { class: "well" }, report.problems.length ? "Nothing of this needs attention." : "\u2713 Nothing. All is well."));
  const more = found.length - problemsShown;
  if (more > 0) items.push(element("li", { class: "mild" }, element("button", { type: "button", onclick: () => { problemsShown = Infinity; drawProblems(); } }, `Show ${count(more, "more", "more")}`)));
  else if (report.problems_total > report.problems.length && !words.length) items.push(element("li", { class: "mild" }, `And ${count(report.problems_total - report.problems.length, "more", "more")}: SELECT * FROM problem;`));
  $("problems").replaceChildren(...items);
}

function drawFailures() {
  const rows = report.failures.filter((failure) =>
    matches([failure.message, failure.sqlstate, ...failure.jobs.map((job) => jobs[job].found)].join("\n").toLowerCase()));
  if (!rows.length) {
    $("failures").replaceChildren(element("p", { class: "soft" }, report.failures.length ? "No failure of this." : "\u2713 Nothing has failed."));
    return;
  }
  const chips = (failure) => {
    const named = failure.jobs.slice(0, 5).map((job) => element("button", { type: "button", dir: "auto", title: jobs[job].name, onclick: () => show(jobs[job]) }, jobs[job].name));
    const others = failure.job_count - named.length;
    return element("div", { class: "chips" }, ...named, others > 0 ? element("span", { class: "soft" }, `and ${count(others, "other", "others")}`) : null);
  };
  $("failures").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, element("th", { class: "number" }, "Runs"), element("th", {}, "Message"), element("th", {}, "Jobs"), element("th", {}, "First"), element("th", {}, "Last"))),
    element("tbody", {}, ...rows.map((failure) => element("tr", {},
      element("td", { class: "number" }, element("b", {}, `${failure.runs.toLocaleString()}\u00d7`)),
      element("td", { class: "message" }, text(failure.message ?? "(no message)"), " ", element("code", { class: "soft" }, failure.sqlstate ?? "")),
      element("td", {}, chips(failure)),
      element("td", { class: "time", "data-label": "first" }, moment(failure.first)),
      element("td", { class: "time", "data-label": "last" }, moment(failure.last)))))),
    report.failures_total > report.failures.length ? element("p", { class: "note" }, `${count(report.failures_total - report.failures.length, "rarer message is", "rarer messages are")} left out.`) : "",
    element("p", { class: "note" }, "Messages that differ only in numbers are counted together; the latest is shown."));
}

// --- hours of the week, in the reader's time ---

function drawHours(id, hours, caption, describe) {
  const cells = Array.from({ length: 7 * 24 }, () => ({ runs: 0, failures: 0, known: false }));
  hours.runs.forEach((runs, index) => {
    const begin = new Date((hours.from + index * 3600) * 1000);
    const cell = cells[(begin.getDay() + 6) % 7 * 24 + begin.getHours()];
    cell.runs += runs;
    cell.failures += hours.failures?.[index] ?? 0;
    cell.known = true;
  });
  const most = Math.max(1, ...cells.map((cell) => cell.runs));
  const short = (number) => number < 1000 ? String(number) : number < 1e4 ? `${Number((number / 1000).toFixed(1))}k` : number < 1e6 ? `${Math.round(number / 1000)}k` : `${Math.round(number / 1e6)}M`;
  const weekday = (day, style) => new Intl.DateTimeFormat(undefined, { weekday: style }).format(new Date(2024, 0, 1 + day));
  const body = Array.from({ length: 7 }, (_, day) => element("tr", {}, element("th", { scope: "row" }, weekday(day, "short")),
    ...cells.slice(day * 24, day * 24 + 24).map((cell, hour) => {
      const label = `${weekday(day, "long")} ${hour}:00 to ${hour + 1}:00: ${cell.known ? describe(cell) : "outside of the time that is shown"}`;
      const strength = cell.runs ? 0.12 + 0.88 * Math.sqrt(cell.runs / most) : 0;
      const made = element("td", { tabindex: "-1", "aria-label": label,
        class: `${cell.known ? "" : "outside"}${cell.failures ? " bad" : ""}${strength > 0.55 ? " strong" : ""}` }, cell.runs ? short(cell.runs) : "");
      made.style.setProperty("--strength", strength.toFixed(3));
      return made;
    })));
  const head = element("tr", {}, element("td"), ...Array.from({ length: 24 }, (_, hour) => element("th", { scope: "col" }, hour % 3 ? "" : String(hour))));
  head.firstChild.className = "outside";
  const table = element("table", { class: "heat", "aria-labelledby": `${id}-caption` }, element("thead", {}, head), element("tbody", {}, ...body));
  const fields = [...table.querySelectorAll("tbody td")];
  fields[0].tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -24, ArrowDown: 24 }[event.key];
    const next = fields[fields.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  const tell = (event) => {
    const field = event.target.closest("tbody td");
    if (field) tip.show(field.getBoundingClientRect(), field.getAttribute("aria-label"));
  };
  table.addEventListener("pointerover", tell);
  table.addEventListener("focusin", tell);
  for (const end of ["pointerleave", "focusout"]) table.addEventListener(end, tip.hide);
  $(`${id}-caption`).textContent = caption;
  $(id).replaceChildren(table);
}

// --- durations ---

function drawDurations() {
  const svg = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const curve = (trend) => {
    const width = 150, height = 38, high = Math.max(...trend.took) || 1;
    const points = trend.took.map((took, index) => [trend.due[index] / span * width, height - 2 - took / high * (height - 6)].map((number) => number.toFixed(1)));
    const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `between ${duration(Math.min(...trend.took))} and ${duration(high)}` });
    const title = svg("title", {});
    title.textContent = `${count(trend.runs, "run")}, between ${duration(Math.min(...trend.took))} and ${duration(high)}`;
    const line = points.map((point) => point.join(",")).join(" ");
    const last = points[points.length - 1];
    drawn.append(title, svg("polygon", { class: "ground", points: `${points[0][0]},${height} ${line} ${last[0]},${height}` }),
      svg("polyline", { class: "curve", points: line }), svg("circle", { class: "end", cx: last[0], cy: last[1], r: 2.5 }));
    return drawn;
  };
  for (const kind of ["changed", "slowest"]) {
    const change = (trend) => trend.after / trend.before;
    const trends = report.durations.filter((trend) => trend[kind] && matches(jobs[trend.job].found));
    if (kind === "changed") trends.sort((one, other) => Math.abs(Math.log(change(other))) - Math.abs(Math.log(change(one))));
    else trends.sort((one, other) => other.median - one.median);
    const items = trends.map((trend) => {
      const factor = change(trend);
      const what = kind === "changed"
        ? [element("span", { class: factor > 1 ? "slower" : "faster" }, factor > 1 ? `\u25b2 ${factor.toFixed(1)}\u00d7 as long` : `\u25bc ${(1 / factor).toFixed(1)}\u00d7 as fast`),
          ` \u00b7 ${duration(trend.before)} \u2192 ${duration(trend.after)}`]
        : [`${duration(trend.median)} \u00b7 ${count(trend.runs, "run")}`];
      return element("li", {}, element("div", {}, element("button", { type: "button", class: "link", onclick: () => show(jobs[trend.job]) }, text(jobs[trend.job].name)),
        element("div", { class: "soft" }, ...what)), curve(trend));
    });
    $(kind).replaceChildren(...(items.length ? items : [element("li", { class: "soft" }, kind === "changed" ? "No job takes much longer, or less, than before." : "Too few runs have succeeded.")]));
  }
}

// --- all jobs, as a table ---

function drawJobs() {
  const found = jobs.filter((job) => matches(job.found));
  $("jobs").firstElementChild.textContent = count(found.length, "job");
  const holder = $("jobs").lastElementChild;
  holder.replaceChildren();
  if (!$("jobs").open) return;
  holder.append(element("table", {},
    element("thead", {}, element("tr", {}, ...["Job", "Role", "Database", "Schedule", "Time zone", "Next run"].map((head) => element("th", {}, head)),
      ...["Runs", "Failed", "Longest"].map((head) => element("th", { class: "number" }, head)))),
    element("tbody", {}, ...found.map((job) => element("tr", {},
      element("td", { class: "message" }, element("button", { type: "button", class: "link", onclick: () => show(job) }, text(job.name)), job.deleted ? " (deleted)" : job.enabled === false ? " (not enabled)" : ""),
      element("td", { "data-label": "role" }, text(job.rolname ?? "")), element("td", { "data-label": "database" }, text(job.datname ?? "")),
      element("td", {}, element("code", {}, job.schedule ?? "\u2013")), element("td", {}, job.timezone ?? ""),
      element("td", { class: "time", "data-label": "next" }, job.next_run_at ? moment(job.next_run_at) : "\u2013"),
      element("td", { class: "number", "data-label": "runs" }, job.count.toLocaleString()),
      element("td", { class: "number", "data-label": "failed" }, job.failed.toLocaleString()),
      element("td", { class: "number", "data-label": "longest" }, job.longest ? duration(job.longest) : "\u2013"))))));
}

// --- the tip that tells what is under the pointer, or selected ---

const tip = {
  show(box, ...content) {
    const node = $("tip");
    node.replaceChildren(...content);
    node.hidden = false;
    const { width, height } = node.getBoundingClientRect();
    const below = box.bottom + 8;
    node.style.left = `${Math.max(8, Math.min((box.left + box.right - width) / 2, innerWidth - width - 8))}px`;
    node.style.top = `${below + height > innerHeight && box.top - height - 8 > 0 ? box.top - height - 8 : below}px`;
  },
  hide() { $("tip").hidden = true; },
};

// --- the timeline ---

const timeline = (() => {
  const lanes = $("lanes"), rows = $("rows"), overview = $("overview"), axis = $("axis");
  let view = [0, span]; // seconds since report.since
  let shown = jobs;
  let active = null, mark = null; // the job and the run that the keys are at
  const drawn = new Map(); // rows, by job
  const laneHeight = () => matchMedia("(max-width: 760px)").matches ? 44 : 28;
  const barHeight = 27;
  let colours = {};

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = [...Object.keys(STATES).map(classOf), "late", "line", "soft", "text", "on", "accent", "card"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  const visible = (run) => !wanted.size || wanted.has(run.state);
  const toX = (seconds, width) => (seconds - view[0]) / (view[1] - view[0]) * width;
  const fromX = (x, width) => view[0] + x / width * (view[1] - view[0]);

  // A canvas as sharp as the screen.
  function prepare(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas, scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return [context, width, height];
  }

  // Where lines for full minutes, hours, days stand, in the reader's time.
  function ticks(width) {
    const steps = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000, 31536000];
    const step = steps.find((size) => size * width / (view[1] - view[0]) >= 74) ?? steps[steps.length - 1];
    const offset = -new Date((report.since + view[0]) * 1000).getTimezoneOffset() * 60;
    const found = [];
    for (let at = Math.ceil((report.since + view[0] + offset) / step) * step - offset; at <= report.since + view[1]; at += step) found.push(at - report.since);
    return [found, step];
  }

  function drawAxis() {
    const [context, width] = prepare(axis);
    const [found, step] = ticks(width);
    context.fillStyle = colours.soft;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    const options = step >= 86400 ? { day: "numeric", month: "short" } : step < 60 ? TIME : { hour: "2-digit", minute: "2-digit" };
    for (const at of found) {
      const x = toX(at, width);
      const midnight = step < 86400 && new Date((report.since + at) * 1000).getHours() === 0 && step >= 3600;
      const label = moment(report.since + at, midnight ? { weekday: "short", day: "numeric" } : options);
      if (x > 18 && x < width - 18) context.fillText(label, x, 15);
    }
    const whole = view[0] === 0 && view[1] === span;
    $("range").textContent = whole ? "" : `${moment(report.since + view[0], { ...DAY, ...TIME })} to ${moment(report.since + view[1], TIME)}, ${duration(view[1] - view[0])}`;
    for (const id of ["out", "whole"]) $(id).disabled = whole;
    $("earlier").disabled = view[0] <= 0;
    $("later").disabled = view[1] >= span;
  }

  function drawOverview() {
    const [context, width, height] = prepare(overview);
    const size = 5, bins = Array.from({ length: Math.ceil(width / size) }, () => ({}));
    for (const job of shown) {
      for (const run of job.marks) {
        if (!visible(run) || run.end < view[0] || run.begin > view[1]) continue;
        const first = Math.floor(toX(run.begin, width) / size);
        const last = run.slot ? Math.max(first, Math.ceil(toX(run.end, width) / size) - 1) : first;
        for (let bin = Math.max(first, 0); bin <= Math.min(last, bins.length - 1); bin++) {
          bins[bin][run.state] = (bins[bin][run.state] ?? 0) + run.count / (last - first + 1);
        }
      }
    }
    const order = Object.keys(STATES).reverse();
    const most = Math.max(1e-9, ...bins.map((bin) => Object.values(bin).reduce((sum, number) => sum + number, 0)));
    bins.forEach((bin, index) => {
      let top = height;
      for (const state of order) {
        if (!bin[state]) continue;
        // What failed is never too little to be seen.
        const tall = Math.max(bin[state] / most * (height - 6), state === "succeeded" ? 1 : 2.5);
        context.fillStyle = colours[classOf(state)];
        context.fillRect(index * size, Math.max(0, top - tall), size - 1, tall);
        top -= tall;
      }
    });
  }

  function drawLane(canvas, job) {
    const [context, width, height] = prepare(canvas);
    const middle = Math.round(height / 2);
    context.fillStyle = colours.line;
    for (const at of ticks(width)[0]) context.fillRect(Math.round(toX(at, width)), 0, 1, height);
    let letterFrom = -Infinity;
    // What failed is drawn last, over the others.
    const inView = job.marks.filter((run) => run.end >= view[0] && run.begin <= view[1]);
    const good = inView.filter((run) => run.state === "succeeded"), others = inView.filter((run) => run.state !== "succeeded");
    for (const run of [...good, ...others]) {
      const colour = colours[classOf(run.state)], state = STATES[run.state];
      context.globalAlpha = visible(run) ? 1 : 0.13;
      const started = toX(run.due + Math.max(run.late, 0), width);
      const left = run.slot ? toX(run.begin, width) : started;
      const right = Math.max(toX(run.end, width), left + (run.state === "succeeded" ? 2 : 3));
      const wide = right - left - (run.slot ? 1 : 0);
      const half = run.state === "succeeded" ? 5 : 8;
      if (!run.slot && run.late > 0 && started - toX(run.due, width) >= 1) {
        const due = toX(run.due, width);
        context.fillStyle = colours.late;
        context.fillRect(due, middle - 1, started - due, 2);
        context.fillRect(due, middle - 5, 1.5, 10);
      }
      context.fillStyle = context.strokeStyle = colour;
      context.lineWidth = 1.5;
      if (state.hollow && wide > 15) context.strokeRect(left + 0.75, middle - half + 0.75, wide - 1.5, 2 * half - 1.5);
      else if (state.hollow) {
        context.fillRect(left, middle - half, 1.5, 2 * half);
      } else {
        if (run.slot) context.globalAlpha *= run.state === "succeeded" ? 0.62 : 0.85;
        context.fillRect(left, middle - half, wide, 2 * half);
      }
      if (run.slot && wide > 26 && run.state === "succeeded") {
        context.globalAlpha = visible(run) ? 1 : 0.13;
        context.fillStyle = colours.text;
        context.font = "10px system-ui, sans-serif";
        context.textAlign = "center";
        context.fillText(`${run.count}\u00d7`, (left + right) / 2, middle + 3.5);
      }
      // The letter, where there is room for it.
      if (run.state !== "succeeded" && left > letterFrom + 13 && visible(run)) {
        const x = Math.min(Math.max(left + 1, 1), width - 12);
        context.globalAlpha = 1;
        context.fillStyle = state.hollow ? colours.card : colour;
        context.fillRect(x, middle - 7, 12, 14);
        if (state.hollow) context.strokeRect(x + 0.5, middle - 6.5, 11, 13);
        context.fillStyle = state.hollow ? colour : colours.on;
        context.font = "bold 10px system-ui, sans-serif";
        context.textAlign = "center";
        context.fillText(state.letter, x + 6, middle + 3.5);
        letterFrom = left;
      }
    }
    context.globalAlpha = 1;
    if (job === active && mark) {
      const left = toX(mark.begin, width), right = Math.max(toX(mark.end, width), left + 4);
      context.strokeStyle = colours.text;
      context.lineWidth = 2;
      context.strokeRect(left - 3, middle - 11, right - left + 6, 22);
    }
  }

  // Only the lanes that can be seen are there.
  function drawRows() {
    const tall = laneHeight();
    rows.style.height = `${shown.length * tall}px`;
    const first = Math.max(0, Math.floor(lanes.scrollTop / tall) - 2);
    const some = shown.slice(first, Math.ceil((lanes.scrollTop + lanes.clientHeight) / tall) + 2);
    for (const [job, row] of drawn) {
      if (!some.includes(job)) { row.remove(); drawn.delete(job); }
    }
    some.forEach((job, index) => {
      let row = drawn.get(job);
      if (!row) {
        const name = element("div", { class: `name${job.deleted || job.enabled === false ? " off" : ""}`, dir: "auto", title: job.name },
          troubled.has(job.job_id) ? element("span", { class: "badge failed", title: "needs attention" }, "!") : null, job.name);
        row = element("div", { class: "lane" }, name, element("canvas", { "aria-hidden": "true" }));
        row.job = job;
        drawn.set(job, row);
        rows.append(row);
      }
      row.style.top = `${(first + index) * tall}px`;
      row.classList.toggle("active", job === active);
      drawLane(row.lastChild, job);
    });
    rows.querySelector(".empty")?.remove();
    if (!shown.length) {
      rows.style.height = "auto";
      rows.append(element("p", { class: "empty soft" }, jobs.length ? "No job matches." : "There are no jobs here."));
    }
  }

  let scheduled = false;
  function draw() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => { scheduled = false; readColours(); drawOverview(); drawAxis(); drawRows(); });
  }

  function zoom(from, to) {
    const least = Math.min(2, span), size = Math.min(span, Math.max(least, to - from));
    const begin = Math.max(0, Math.min((from + to - size) / 2, span - size));
    view = [begin, begin + size];
    tip.hide();
    draw();
  }
  function zoomBy(factor, around = (view[0] + view[1]) / 2) {
    zoom(around - (around - view[0]) * factor, around + (view[1] - around) * factor);
  }
  const move = (share) => zoom(view[0] + share * (view[1] - view[0]), view[1] + share * (view[1] - view[0]));

  function described(job, run) {
    const fact = (name, value) => [element("dt", {}, name), typeof value === "string" ? element("dd", {}, value) : element("dd", {}, value)];
    const facts = [];
    const due = report.since + run.due;
    if (run.slot) {
      const begin = Math.floor(run.due / run.slot) * run.slot;
      facts.push(...fact("from", bothTimes(report.since + begin, job.timezone)), ...fact("for", duration(Math.min(run.slot, span - begin))));
      if (run.state !== "missed" && run.state !== "skipped") facts.push(...fact("latest", `${duration(run.late)} after it was due`), ...fact("longest", duration(run.took)));
    } else {
      facts.push(...fact("due", bothTimes(due, job.timezone)));
      if (run.state === "missed" && run.took > 0) facts.push(...fact("up to", bothTimes(due + run.took, job.timezone)));
      else if (run.state !== "missed" && run.state !== "skipped") {
        facts.push(...fact("started", run.late > 0.0005 ? `${duration(run.late)} late` : "on time"), ...fact(run.state === "running" ? "for" : "took", duration(run.took)));
      }
    }
    const number = run.count > 1 ? `${run.count.toLocaleString()} ${run.state === "missed" ? "due times" : "runs"} ` : "";
    return [text(job.name, "b"), element("div", {}, badge(run.state), ` ${number}${run.state}`), element("dl", {}, ...facts)];
  }

  // The run at the pointer, or the nearest one within a few pixels.
  function runAt(job, x, width) {
    let best = null, distance = 7;
    for (const run of job.marks) {
      if (!visible(run)) continue;
      const left = toX(run.begin, width), right = Math.max(toX(run.end, width), left + 3);
      const away = x < left ? left - x : x > right ? x - right : 0;
      if (away < distance || away === distance && run.state !== "succeeded") { best = run; distance = away; }
    }
    return best;
  }

  function select(job, run) {
    active = job;
    mark = run ?? null;
    if (!job) tip.hide();
    else {
      const tall = laneHeight(), top = shown.indexOf(job) * tall;
      if (top < lanes.scrollTop) lanes.scrollTop = top;
      else if (top + tall > lanes.scrollTop + lanes.clientHeight) lanes.scrollTop = top + tall - lanes.clientHeight;
    }
    if (mark && (mark.end < view[0] || mark.begin > view[1])) {
      const half = (view[1] - view[0]) / 2;
      zoom(mark.due - half, mark.due + half);
    }
    draw();
    requestAnimationFrame(() => {
      const row = drawn.get(active);
      if (!row) return;
      if (!mark) {
        tip.hide();
        $("spoken").textContent = `${active.name}, ${place(active)}: ${count(active.count, "run")}, ${active.failed} failed`;
        return;
      }
      const box = row.lastChild.getBoundingClientRect(), left = box.left + toX(mark.begin, box.width);
      tip.show({ left, right: left + 4, top: box.top, bottom: box.bottom }, ...described(active, mark));
      $("spoken").textContent = $("tip").textContent;
    });
  }

  lanes.addEventListener("keydown", (event) => {
    const index = shown.indexOf(active), runs = active?.marks.filter(visible) ?? [], at = runs.indexOf(mark);
    const middle = mark ? mark.due : undefined;
    const actions = {
      ArrowDown: () => select(shown[Math.min(index + 1, shown.length - 1)]),
      ArrowUp: () => select(shown[Math.max(index - 1, 0)]),
      PageDown: () => select(shown[Math.min(index + 15, shown.length - 1)]),
      PageUp: () => select(shown[Math.max(index - 15, 0)]),
      ArrowRight: () => select(active ?? shown[0], runs[at < 0 ? 0 : Math.min(at + 1, runs.length - 1)]),
      ArrowLeft: () => select(active ?? shown[0], runs[at < 0 ? runs.length - 1 : Math.max(at - 1, 0)]),
      Home: () => select(active ?? shown[0], runs[0]),
      End: () => select(active ?? shown[0], runs[runs.length - 1]),
      "+": () => { zoomBy(0.5, middle); select(active, mark); },
      "=": () => { zoomBy(0.5, middle); select(active, mark); },
      "-": () => { zoomBy(2, middle); select(active, mark); },
      0: () => zoom(0, span),
      Escape: () => select(null),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey || !shown.length) return;
    event.preventDefault();
    actions[event.key]();
  });
  lanes.addEventListener("blur", tip.hide);
  lanes.addEventListener("scroll", () => { tip.hide(); drawRows(); });

  lanes.addEventListener("pointermove", (event) => {
    const job = event.target.closest(".lane")?.job;
    if (!job || event.target.tagName !== "CANVAS" || dragged) return tip.hide();
    const run = runAt(job, event.offsetX, event.target.clientWidth);
    if (!run) return tip.hide();
    const box = event.target.getBoundingClientRect();
    return tip.show({ left: event.clientX, right: event.clientX, top: box.top, bottom: box.bottom }, ...described(job, run));
  });
  lanes.addEventListener("pointerleave", tip.hide);
  lanes.addEventListener("click", (event) => {
    const job = event.target.closest(".lane")?.job;
    if (job) select(job, event.target.tagName === "CANVAS" ? runAt(job, event.offsetX, event.target.clientWidth) : null);
  });

  // A time that the pointer is dragged over is shown.
  let dragged = null;
  $("timeline").addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button || event.target.tagName !== "CANVAS" || event.target === axis) return;
    dragged = { canvas: event.target, from: event.clientX };
  });
  addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const box = overview.getBoundingClientRect(), outer = $("timeline").getBoundingClientRect();
    const [left, right] = [dragged.from, event.clientX].map((x) => Math.max(box.left, Math.min(x, box.right))).sort((one, other) => one - other);
    if (right - left < 5) return;
    dragged.brush ??= $("timeline").appendChild(element("div", { class: "brush" }));
    dragged.range = [fromX(left - box.left, box.width), fromX(right - box.left, box.width)];
    Object.assign(dragged.brush.style, { left: `${left - outer.left}px`, width: `${right - left}px`, top: "0", bottom: "0" });
  });
  addEventListener("pointerup", () => {
    dragged?.brush?.remove();
    if (dragged?.range) zoom(...dragged.range);
    dragged = null;
  });
  $("timeline").addEventListener("dblclick", () => zoom(0, span));
  $("timeline").addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = overview.getBoundingClientRect();
    zoomBy(Math.exp(event.deltaY / 300), fromX(Math.max(0, event.clientX - box.left), box.width));
  }, { passive: false });

  $("in").addEventListener("click", () => zoomBy(0.5));
  $("out").addEventListener("click", () => zoomBy(2));
  $("whole").addEventListener("click", () => zoom(0, span));
  $("earlier").addEventListener("click", () => move(-0.5));
  $("later").addEventListener("click", () => move(0.5));

  const orders = {
    given: (one, other) => one.place - other.place,
    name: (one, other) => one.name.localeCompare(other.name),
    role: (one, other) => (one.rolname ?? "").localeCompare(other.rolname ?? "") || one.place - other.place,
    runs: (one, other) => other.count - one.count,
    took: (one, other) => other.longest - one.longest,
    late: (one, other) => other.latest - one.latest,
    next: (one, other) => (one.next_run_at ?? Infinity) - (other.next_run_at ?? Infinity) || one.place - other.place,
  };
  function refresh() {
    shown = jobs.filter((job) => matches(job.found) && (!wanted.size || job.marks.some(visible))).sort(orders[$("order").value]);
    if (!shown.includes(active)) active = mark = null;
    lanes.scrollTop = 0;
    tip.hide();
    $("found").textContent = words.length || wanted.size ? `${shown.length} of ${count(jobs.length, "job")}` : "";
    draw();
  }
  $("order").addEventListener("change", refresh);
  listeners.push(refresh);
  new ResizeObserver(draw).observe($("timeline"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const grouped = jobs.some((job) => job.marks.some((run) => run.slot));
  const late = element("span", {}, element("span", { class: "badge hollow timed-out" }, "|\u2013"), " waited since it was due");
  late.firstChild.style.margin = "0";
  $("legend").append(...Object.keys(STATES).filter((state) => report.runs[state]).map((state) => element("span", {}, badge(state), ` ${state}`)), jobs.some((job) => job.count) ? late : "",
    ...(grouped ? [element("span", {}, "3\u00d7 three runs of a job that runs often, together")] : []));
  return { select };
})();

// --- begin ---

drawHeader();
drawStates();
listeners.push(drawProblems, drawFailures, drawDurations, drawJobs);
drawHours("ran", report.ran, `What ran in the last ${report.ran.runs.length * 3600 < span - 3600 ? "4 weeks" : period}; a red corner: some of it failed`,
  (cell) => `${count(cell.runs, "run")}${cell.failures ? `, ${cell.failures.toLocaleString()} failed` : ""}`);
drawHours("coming", report.coming, `What is due in the next 7 days${report.coming.not_counted ? `, without ${count(report.coming.not_counted, "job")} whose next run depends on the end of the last` : ""}`,
  (cell) => `${count(cell.runs, "due time")}`);
$("query").addEventListener("input", filter);
$("jobs").addEventListener("toggle", drawJobs);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !["INPUT", "SELECT"].includes(event.target.tagName)) {
    event.preventDefault();
    $("query").focus();
  } else if (event.key === "Escape") tip.hide();
});
filter();

})();
