// The builder has several places for a camera and opens one at a time; `camera.js` is what it opens.

/** `isThere()` says whether the page still is. `open` gives a camera, or null once `say` has told why there is none. */
function oneCamera(isThere) {
  let opening = false; // while the browser asks whether it may
  let now = null; // the open one, and whom to tell when it is closed
  function close() {
    const was = now;
    now = null;
    was?.camera.close();
    was?.ended();
  }
  async function open(longest, say, ended) {
    if (opening) return null;
    close();
    const unplugged = (why) => (close(), say(why));
    const camera = makeCamera({ longest, ended: unplugged });
    opening = true;
    try {
      await camera.open();
    } catch (error) {
      say(error.message);
      return null;
    } finally {
      opening = false;
    }
    now = { camera, ended };
    if (!isThere()) close();
    return now && camera;
  }
  return { open, close };
}

/** A JPEG of a photo that the browser can show, scaled down to `longest` pixels. */
async function scaled(file, longest) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const size = (side) => Math.max(1, Math.round(side * scale));
  const canvas = h("canvas", { width: size(bitmap.width), height: size(bitmap.height) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return (await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92))).arrayBuffer();
}
