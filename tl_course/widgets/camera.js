// The camera, for pages that take pictures or predict while they look: looks("camera", "name") puts it before name.js.
//
//   const camera = makeCamera({ longest: 640, ended: (why) => say(why, true) });
//   place.append(camera.video);
//   try { await camera.open(); } catch (error) { say(error.message, true); }   // a sentence
//   const jpeg = await camera.frame();                    // an ArrayBuffer, or null where there is nothing yet
//   const live = follow(camera, (jpeg) => answered({ do: "see" }, [jpeg]), { most: 10 });
//   live.rate();                                          // answers a second, measured
//   live.stop(); camera.close();
//
// Close it when the page goes (the function that `render` returns) and when the root hears "connection" with
// `event.detail === "off"`: nobody wants a camera that looks on for a kernel that has gone.

const CAMERA_TROUBLE = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it beside the address bar, then try again.",
  NotFoundError: "No camera was found. Plug one in, or add files.",
  NotReadableError: "The camera is in use by another program. Close that, then try again.",
};

/** A camera whose frames have at most `longest` pixels a side; `ended` is told when it is unplugged. */
function makeCamera({ longest = 640, quality = 0.9, ended = () => {} } = {}) {
  const video = h("video", { autoplay: true, muted: true, playsInline: true, "aria-label": "What the camera sees" });
  const canvas = h("canvas");
  let stream = null;
  let wanted = 0; // counts openings, so that one that was closed while the browser asked does not open after all

  async function open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      const why = window.isSecureContext
        ? "This browser gives no camera to this page."
        : "Browsers give the camera only to pages from https or localhost: open the notebook there.";
      throw new Error(`${why} Or add files that a phone took.`);
    }
    close();
    const mine = ++wanted;
    let given;
    try {
      given = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: 1280 } });
    } catch (error) {
      throw new Error(CAMERA_TROUBLE[error.name] ?? `The camera did not open (${error.message || error.name}).`);
    }
    if (mine !== wanted) return given.getTracks().forEach((track) => track.stop());
    stream = given;
    for (const track of stream.getTracks()) {
      track.onended = () => {
        close();
        ended("The camera has ended: was it unplugged? Open it again.");
      };
    }
    video.srcObject = stream;
  }

  function close() {
    wanted++;
    stream?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    stream = video.srcObject = null;
  }

  async function frame() {
    if (!stream || !video.videoWidth) return null;
    const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    return blob ? blob.arrayBuffer() : null;
  }

  return { video, open, close, frame, isOpen: () => stream !== null };
}

/**
 * Give `see` the newest frame as soon as it has answered the one before, at most so many a second: none ever waits in a
 * queue, however slow the kernel is.
 */
function follow(camera, see, { most = 10 } = {}) {
  const answers = []; // when they came
  let on = true;
  const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  (async () => {
    while (on) {
      const began = performance.now();
      const jpeg = camera.isOpen() ? await camera.frame() : null;
      if (jpeg && on) {
        await see(jpeg);
        answers.push(performance.now());
        if (answers.length > 20) answers.shift();
      }
      await rest(Math.max(jpeg ? 0 : 50, 1000 / most - (performance.now() - began)));
    }
  })();
  return {
    stop: () => (on = false),
    rate: () => (answers.length < 2 ? 0 : (1000 * (answers.length - 1)) / (performance.now() - answers[0])),
  };
}
