/**
 * A chart as an SVG text, the same bytes in every run, with the look that all charts of the documents share.
 *
 * Place: the plot-*.ts programs say what is in it.
 */
import * as echarts from 'echarts';

/** The colour of all that is written, and of axes. */
export const TEXT = '#24292f';
const WIDTH = 860;

export interface ChartSettings {
  readonly height: number;
  /** Names of the lines, in the legend's order. */
  readonly names: readonly string[];
  /** Grids, axes, series and titles. */
  readonly content: echarts.EChartsCoreOption;
}

export function renderChart({ height, names, content }: ChartSettings): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'Helvetica, Arial, sans-serif' },
    legend: {
      ...{ top: 8, left: 'center', itemGap: 30, itemWidth: 26, icon: 'rect', itemHeight: 4 },
      textStyle: { color: TEXT, fontSize: 13 },
      data: names,
    },
    ...content,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}
