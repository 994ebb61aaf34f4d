// A small plot of the last two minutes, one sample a second; gaps stay gaps.

export function drawPlot(canvas, samples, length) {
  const width = Math.round(canvas.clientWidth * devicePixelRatio) || 140;
  const height = Math.round(canvas.clientHeight * devicePixelRatio) || 34;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const values = samples.filter((value) => value !== null);
  if (!values.length) return;
  const low = Math.min(...values, 0);
  const span = Math.max(Math.max(...values) - low, 1e-9);
  const style = getComputedStyle(canvas);
  context.strokeStyle = style.getPropertyValue("--accent");
  context.lineWidth = 1.5 * devicePixelRatio;
  context.beginPath();
  let isDown = false;
  samples.forEach((value, i) => {
    if (value === null) {
      isDown = false;
      return;
    }
    const x = ((i + length - samples.length) / (length - 1)) * width;
    const y = height - 2 - ((value - low) / span) * (height - 4);
    if (isDown) context.lineTo(x, y);
    else context.moveTo(x, y);
    isDown = true;
  });
  context.stroke();
}
