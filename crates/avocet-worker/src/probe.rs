//! What a media file holds.

use avocet_media::child::{ProbeRequest, Refusal, Served};
use avocet_media::video::MediaInfo;
use ffmpeg_next::ffi;

use crate::replies::Replies;
use crate::{sound, source, video};

/// Gives what headers and the first seconds tell.
pub(crate) fn probe(request: &ProbeRequest, replies: &mut Replies) -> Served {
    let input = source::open(request.path.as_path())?;
    let duration = input.duration();
    let info = MediaInfo {
        container: input.format().name().to_owned(),
        duration_s: (duration != ffi::AV_NOPTS_VALUE && duration > 0)
            .then(|| duration as f64 / f64::from(ffi::AV_TIME_BASE)),
        video: video::info(&input),
        audio: sound::info(&input),
        audio_tracks: sound::tracks(&input),
    };
    if info.video.is_none() && info.audio.is_none() {
        return Err(Refusal::file("has neither pictures nor sound"));
    }
    replies.item(info, &[])
}
