// What if: the joint monthly draws of every segment, valued again with the reader's settings. Nothing is fetched.
const WEEKS_PER_YEAR = 365.25 / 7, FACTORS_PER_DRAW = 20, GOLDEN = 0.6180339887498949;

const quantile = (sorted, share) => {
  const at = share * (sorted.length - 1), low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
};
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Value of one group in every draw: margin times revenue of the months, discounted to their middles.
const valued = (known, rows, { margin, rate, months }) => {
  const value = new Float64Array(known.draws);
  for (const [row, scale] of rows) for (let month = 0; month < months; month++) {
    const middle = (known.starts[month] + known.ends[month]) / 2;
    const weight = scale[month] * margin * (1 + rate) ** (-middle / WEEKS_PER_YEAR);
    for (let draw = 0; draw < known.draws; draw++) value[draw] += weight * row[month * known.draws + draw];
  }
  return value;
};

// Every draw times evenly spread quantiles of what past errors multiply it by; sorted.
const allowing = (value, factors) => {
  const found = new Float64Array(value.length * FACTORS_PER_DRAW);
  value.forEach((worth, draw) => {
    for (let at = 0; at < FACTORS_PER_DRAW; at++) {
      const place = (at + (draw * GOLDEN) % 1) / FACTORS_PER_DRAW;
      found[draw * FACTORS_PER_DRAW + at] = worth * factors[Math.min(Math.floor(place * factors.length), factors.length - 1)];
    }
  });
  return found.sort();
};

const answer = (known, set) => {
  const group = known.groups[set.group], settings = { ...set, months: set.months + 1 };
  const rows = set.group ? [group.rows] : known.groups.slice(1).map((one) => one.rows);
  const own = valued(known, rows, settings);
  const usual = valued(known, rows, { margin: known.margin, rate: known.rate, months: known.ends.length });
  const tails = [(1 - known.interval) / 2, (1 + known.interval) / 2];
  const total = allowing(own, group.factors[set.months]), before = allowing(usual, group.factors.at(-1));
  const expected = group.mean * mean(own) / (mean(usual) || 1);
  // At the run's own settings the limits are those of the report, to the digit.
  const [lower, upper] = tails.map((tail, end) => group.limits[end] * quantile(total, tail) / (quantile(before, tail) || 1));
  const share = set.cost > 0 && set.budget > 0 ? Math.min(1, set.budget / (set.cost * group.customers)) : 1;
  const contacts = Math.floor(share * group.customers), spent = contacts * set.cost;
  const gain = share * set.effect, lost = total.findIndex((worth) => gain * worth >= spent);
  return {
    expected, lower, upper, contacts, spent,
    profit: gain * expected - spent, profitLower: gain * lower - spent, profitUpper: gain * upper - spent,
    loss: lost < 0 ? 1 : lost / total.length, breakEven: expected > 0 ? spent / (share * expected) : Infinity,
  };
};

const newcomer = (known, set) => {
  const worth = known.newcomer.map((value) => value * set.margin / known.margin);
  return {
    earns: worth.filter((value) => value > set.acquisition).length / worth.length,
    mayCost: known.mayCost.map((cost) => cost * set.margin / known.margin),
  };
};

const unpacked = async (form) => {
  const known = JSON.parse(form.querySelector("script").textContent);
  const packed = Uint8Array.from(atob(known.numbers), (letter) => letter.charCodeAt(0));
  const bytes = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  const numbers = new Uint16Array(bytes);
  let at = 0;
  for (const group of known.groups) if (group.scale) {
    group.rows = [numbers.subarray(at, at += known.draws * known.ends.length), group.scale];
  }
  return known;
};

(async () => {
  for (const form of document.querySelectorAll("form.whatif")) {
    const known = await unpacked(form), field = (name) => form.elements.namedItem(name);
    const money = (value) => {
      const size = value ? 10 ** Math.max(Math.floor(Math.log10(Math.abs(value))) - 2, -2) : 1;
      const said = Math.abs(Math.round(value / size) * size).toLocaleString("en", { maximumFractionDigits: 2 });
      const letters = /\p{L}$/u.test(known.currency), minus = value < 0 && said !== "0" ? "-" : "";
      return minus + (letters ? `${said}\u00a0${known.currency}` : known.currency + said);
    };
    const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
    const chance = (share) => share < 0.01 ? "less than 1\u00a0%" : share > 0.99 ? "more than 99\u00a0%" : percent(share);
    const show = () => {
      const set = {
        group: Number(field("group").value), margin: field("margin").value / 100, rate: field("rate").value / 100,
        months: Number(field("months").value), cost: Number(field("cost").value), effect: field("effect").value / 100,
        budget: Number(field("budget").value), acquisition: Number(field("acquisition").value),
      };
      const found = answer(known, set), won = newcomer(known, set), sure = percent(known.interval);
      for (const [name, said] of [["margin", percent(set.margin)], ["rate", percent(set.rate)], ["months", known.labels[set.months]], ["effect", percent(set.effect)]])
        form.querySelector(`output[name=${name}-said]`).textContent = said;
      const [value, campaign, acquisition] = form.querySelectorAll(".answer p");
      value.textContent = `${known.groups[set.group].name}: ${money(found.expected)} by ${known.labels[set.months]}, likely ${money(found.lower)} to ${money(found.upper)} (${sure}).`;
      campaign.textContent = `Contacting ${found.contacts.toLocaleString("en")} of them costs ${money(found.spent)} and leaves ${money(found.profit)}, likely ${money(found.profitLower)} to ${money(found.profitUpper)} if the effect is as stated; it then loses with a probability of ${chance(found.loss)}, and pays from an effect of ${percent(found.breakEven)} on.`;
      acquisition.textContent = `New customers won for ${money(set.acquisition)} each bring more than that, on average, with a probability of ${chance(won.earns)}; to be 50, 80 or 95\u00a0% sure of it, pay at most ${won.mayCost.map(money).join(", ")}.`;
    };
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
    form.hidden = false;
    form.ask = (set) => ({ ...answer(known, set), ...newcomer(known, set) });
  }
})();
