// The whole sky, with constellations named in English or Chinese. Needs nothing from outside this service.
const names = new URLSearchParams(location.search).get("names") === "cn" ? "cn" : "name";
const font = (size) => `${size}px "Noto Sans SC", sans-serif`;

Celestial.display({
  projection: "aitoff",
  datapath: "chart/data/",
  interactive: true,
  form: false,
  stars: { data: "stars.8.json", limit: 8, designation: false },
  dsos: { data: "dsos.bright.json" },
  constellations: { namesType: names, nameStyle: { fill: "#cc9", font: [font(15), font(13), font(12)] } },
});
