//! Forms that are taken as they come, never whole in memory.

use super::{Boundary, Multipart, MultipartEvent, MultipartLimits};
use crate::http::Fields;
use crate::server::{Intake, Reply, Request, ResponseWriter, Sink, Taken};
use crate::web::refusal::Refusal;

/// Takes the parts of a form as they come, and answers when all of them have come. It is given to the server by
/// [`stream_parts`], and dropped when the form does not come whole.
pub trait PartSink {
    /// Takes a step of the form, which is never [`NeedInput`](MultipartEvent::NeedInput). To refuse ends it: the client gets
    /// the refusal.
    fn on_event(&mut self, event: MultipartEvent<'_>) -> Result<(), Refusal>;

    /// The form was whole, and the request is answered, now or later.
    fn on_end(self: Box<Self>, res: ResponseWriter<'_>) -> Reply;
}

/// Has a form's parts taken as they come: what [`intake`](crate::Handler::intake) returns. A body that is no form gets 415 or
/// 400 before any of it is read; what is wrong with it later gets what [`MultipartError`](super::MultipartError) says.
///
/// ```
/// use edgeloop::web::{self, MultipartEvent, MultipartLimits, PartSink, Refusal};
/// use edgeloop::{Handler, Intake, Reply, Request, ResponseWriter};
///
/// /// Counts the bytes of all files.
/// #[derive(Default)]
/// struct Count(usize);
///
/// impl PartSink for Count {
///     fn on_event(&mut self, event: MultipartEvent) -> Result<(), Refusal> {
///         if let MultipartEvent::Data(data) = event {
///             self.0 += data.len();
///         }
///         Ok(())
///     }
///
///     fn on_end(self: Box<Self>, res: ResponseWriter) -> Reply {
///         res.status(200).text(format!("{} bytes\n", self.0))
///     }
/// }
///
/// struct App;
///
/// impl Handler for App {
///     fn intake(&mut self, req: &Request, res: ResponseWriter) -> Intake {
///         web::stream_parts(req, res, MultipartLimits::default(), Count::default())
///     }
///
///     fn on_request(&mut self, req: &Request, res: ResponseWriter) -> Reply {
///         res.no_route(req.method())
///     }
/// }
/// ```
pub fn stream_parts(
    request: &Request<'_>,
    res: ResponseWriter<'_>,
    limits: MultipartLimits,
    parts: impl PartSink + 'static,
) -> Intake {
    match Boundary::of(request) {
        Ok(boundary) => {
            let sink = FormSink {
                form: Multipart::new(boundary, limits),
                parts: Box::new(parts),
                refusal: None,
            };
            Intake::stream(limits.bytes_max.saturating_add(BEHIND_BYTES_MAX), sink)
        }
        Err(error) => Intake::Answer(Refusal::from(error).answer(res)),
    }
}

/// What may follow the last delimiter, which nobody reads.
const BEHIND_BYTES_MAX: u64 = 4 << 10;

struct FormSink {
    form: Multipart,
    parts: Box<dyn PartSink>,
    refusal: Option<Refusal>,
}

impl Sink for FormSink {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        let FormSink {
            form,
            parts,
            refusal,
        } = self;
        let read = form.push(data, |event| {
            if refusal.is_none() {
                *refusal = parts.on_event(event).err();
            }
        });
        if let Err(error) = read
            && refusal.is_none()
        {
            *refusal = Some(error.into());
        }
        if refusal.is_some() {
            Taken::Refused
        } else {
            Taken::All
        }
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        let FormSink {
            form,
            parts,
            refusal,
        } = *self;
        match refusal.or_else(|| form.finish().err().map(Refusal::from)) {
            Some(refusal) => refusal.answer(res),
            None => parts.on_end(res),
        }
    }
}
