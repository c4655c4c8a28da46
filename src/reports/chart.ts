/**
 * Charts as SVG, made by Apache ECharts without a browser. The library is loaded with the first chart: a sidecar that starts does not pay for it.
 * https://echarts.apache.org/handbook/en/how-to/cross-platform/server
 */
import type { ChartSection } from './report.ts';

/** pixels */
const WIDTH = 920;
const HEIGHT = 320;
const TEXT = '#1b2530';
/** without quotes, which the library would put into an attribute as they are */
const FONT = 'system-ui, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif';
/** told apart also without red and green: Okabe and Ito, "Color Universal Design" (2008) */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#999999'];

/** Bars that are stacked. @returns an SVG document that stands alone */
export async function chartSvg({ title, places, series }: ChartSection): Promise<string> {
  const [{ init, use }, { BarChart }, { GridComponent, LegendComponent }, { SVGRenderer }] =
    await Promise.all([
      import('echarts/core'),
      import('echarts/charts'),
      import('echarts/components'),
      import('echarts/renderers'),
    ]);
  use([BarChart, GridComponent, LegendComponent, SVGRenderer]);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption({
      animation: false,
      color: COLORS,
      textStyle: { fontFamily: FONT, color: TEXT },
      // inside of it are the axes with their labels
      grid: {
        left: 10,
        right: 10,
        top: 40,
        bottom: 10,
        outerBoundsMode: 'same',
        outerBoundsContain: 'axisLabel',
      },
      legend: { show: series.length > 1, top: 5, itemWidth: 14, itemGap: 20, textStyle: { color: TEXT } },
      xAxis: { type: 'category', data: places.map(holdable), axisLabel: { color: TEXT, hideOverlap: true } },
      yAxis: { type: 'value', minInterval: 1, axisLabel: { color: TEXT } },
      series: series.map(({ name, values }) => ({
        type: 'bar',
        stack: 'all',
        barMaxWidth: 40,
        name: holdable(name),
        data: [...values],
      })),
      aria: { enabled: false },
    });
    return chart.renderToSVGString().replace(/^<svg /, `<svg role="img" aria-label="${escaped(title)}" `);
  } finally {
    chart.dispose();
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Controls, and halves of characters, become a dot: neither XML nor HTML can hold them. So do ends of lines and what turns the direction of text, which would make it look like another. */
const holdable = (text: string): string =>
  text
    .toWellFormed()
    .replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd-\uffff]/g,
      '·',
    );

/** A text as it may stand in XML and HTML, also in an attribute. */
export const escaped = (text: string): string => holdable(text).replace(/[&<>"']/g, (c) => ESCAPES[c]!);
