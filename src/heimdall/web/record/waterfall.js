// The newest spectrum as a curve, and below it the spectra before as a waterfall; the channel lies between two lines.
const HEIGHT = 90; // of the curve, in pixels
const ROW = 3; // pixels of one spectrum
const FLOOR_SHARE = 0.1; // of the values that the colours take for the noise's lowest
const SPAN_DB = 45;

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shade(share) {
  // dark blue, blue, green, yellow: brightness rises all the way
  const stops = [[13, 8, 68], [45, 85, 160], [60, 165, 130], [250, 225, 60]];
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((value, channel) => value + (at - low) * (stops[low + 1][channel] - value));
}

export default {
  template: '<canvas class="waterfall" role="img" aria-label="Spectrum and waterfall"></canvas>',
  methods: {
    clear() {
      const canvas = this.$el;
      canvas.width = canvas.clientWidth;
      canvas.height = canvas.clientHeight;
      this.floor = null;
    },
    push({ low_hz: low, high_hz: high, power_db: power, channel_hz: channel }) {
      const canvas = this.$el;
      if (canvas.width !== canvas.clientWidth || canvas.height !== canvas.clientHeight) this.clear();
      const sorted = [...power].sort((a, b) => a - b);
      const floor = sorted[Math.floor(sorted.length * FLOOR_SHARE)];
      this.floor = this.floor == null ? floor : 0.9 * this.floor + 0.1 * floor;
      this.fall(power);
      this.curve(power, channel.map((edge) => ((edge - low) / (high - low)) * canvas.width));
      canvas.dataset.rows = Number(canvas.dataset.rows || 0) + 1;
    },
    fall(power) {
      const canvas = this.$el;
      const context = canvas.getContext("2d");
      const below = HEIGHT + ROW;
      if (canvas.height > below) {
        const kept = context.getImageData(0, HEIGHT, canvas.width, canvas.height - below);
        context.putImageData(kept, 0, below);
      }
      const row = context.createImageData(canvas.width, ROW);
      for (let x = 0; x < canvas.width; x++) {
        const value = power[Math.floor((x / canvas.width) * power.length)];
        const color = shade((value - this.floor) / SPAN_DB);
        for (let y = 0; y < ROW; y++) row.data.set([...color, 255], 4 * (y * canvas.width + x));
      }
      context.putImageData(row, 0, HEIGHT);
    },
    curve(power, edges) {
      const canvas = this.$el;
      const context = canvas.getContext("2d");
      context.fillStyle = css("--soft");
      context.fillRect(0, 0, canvas.width, HEIGHT);
      context.strokeStyle = css("--region");
      for (const edge of edges) {
        context.beginPath();
        context.moveTo(edge, 0);
        context.lineTo(edge, HEIGHT);
        context.stroke();
      }
      context.strokeStyle = css("--evidence");
      context.beginPath();
      power.forEach((value, index) => {
        const share = Math.min(Math.max((value - this.floor + 5) / (SPAN_DB + 10), 0), 1);
        context.lineTo(((index + 0.5) / power.length) * canvas.width, HEIGHT - 3 - share * (HEIGHT - 6));
      });
      context.stroke();
    },
  },
};
