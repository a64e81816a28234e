//! `fanline.v1.Catalog`.

use crate::caller::Caller;
use crate::scope::Scope;
use crate::status;
use fanline_core::catalog::{DocumentFormat, EventCatalog, EventTypeDetails, EventTypeInfo};
use fanline_core::{Reason, Refusal};
use fanline_proto::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Event types on a page when the caller names no number.
const LIST_PAGE: usize = 100;
/// Most event types on a page.
const LIST_PAGE_MAX: usize = 1000;

/// The service.
pub(crate) struct Catalog {
    catalog: Arc<dyn EventCatalog>,
}

impl Catalog {
    pub(crate) fn new(catalog: Arc<dyn EventCatalog>) -> Self {
        Catalog { catalog }
    }

    fn list(&self, request: &v1::ListEventTypesRequest) -> v1::ListEventTypesResponse {
        let page_size = match request.page_size {
            0 => LIST_PAGE,
            size => usize::try_from(size).map_or(LIST_PAGE_MAX, |size| size.min(LIST_PAGE_MAX)),
        };
        // One more than asked for tells whether there is a next page.
        let mut found = self.catalog.event_types(&request.page_token, page_size + 1);
        let is_the_last = found.len() <= page_size;
        found.truncate(page_size);
        let next_page_token = match found.last() {
            Some(last) if !is_the_last => last.name.clone(),
            Some(_) | None => String::new(),
        };
        v1::ListEventTypesResponse {
            event_types: found.into_iter().map(event_type).collect(),
            next_page_token,
            revision: self.catalog.revision().unwrap_or_default(),
        }
    }

    fn get(&self, request: &v1::GetEventTypeRequest) -> Result<v1::GetEventTypeResponse, Refusal> {
        let name = &request.name;
        let found = self.catalog.event_type(name).ok_or_else(|| {
            let message = format!("the catalog has no event type `{name}`");
            Refusal::new(Reason::UnknownEventType, message).with_field("name")
        })?;
        let EventTypeDetails { info, publish_schema, deliver_schema, examples, revision } = found;
        Ok(v1::GetEventTypeResponse {
            event_type: Some(event_type(info)),
            publish_schema,
            deliver_schema,
            examples,
            revision,
        })
    }
}

#[tonic::async_trait]
impl v1::catalog_server::Catalog for Catalog {
    async fn list_event_types(
        &self,
        request: Request<v1::ListEventTypesRequest>,
    ) -> Result<Response<v1::ListEventTypesResponse>, Status> {
        admit(&request)?;
        Ok(Response::new(self.list(request.get_ref())))
    }

    async fn get_event_type(
        &self,
        request: Request<v1::GetEventTypeRequest>,
    ) -> Result<Response<v1::GetEventTypeResponse>, Status> {
        admit(&request)?;
        let found = self.get(request.get_ref());
        found.map(Response::new).map_err(|refusal| status::of(&refusal))
    }

    async fn get_async_api(
        &self,
        request: Request<v1::GetAsyncApiRequest>,
    ) -> Result<Response<v1::GetAsyncApiResponse>, Status> {
        admit(&request)?;
        let format = format(request.get_ref().format).map_err(|refusal| status::of(&refusal))?;
        let (document, revision) = self.catalog.document(format);
        Ok(Response::new(v1::GetAsyncApiResponse { document, revision }))
    }
}

fn admit<T>(request: &Request<T>) -> Result<(), Status> {
    let caller = Caller::of(request)?;
    caller.require_scope(Scope::Catalog).map_err(|refusal| status::of(&refusal))
}

/// The format of a number on the wire. One that a newer client knows is not taken for another.
fn format(number: i32) -> Result<DocumentFormat, Refusal> {
    match v1::DocumentFormat::try_from(number) {
        Ok(v1::DocumentFormat::Unspecified | v1::DocumentFormat::Json) => Ok(DocumentFormat::Json),
        Ok(v1::DocumentFormat::Yaml) => Ok(DocumentFormat::Yaml),
        Err(_unknown) => Err(Refusal::invalid("format", "a document is JSON or YAML")),
    }
}

fn event_type(info: EventTypeInfo) -> v1::EventType {
    v1::EventType {
        name: info.name,
        title: info.title,
        summary: info.summary.unwrap_or_default(),
        addresses: info.addresses,
        publisher: info.publisher.to_owned(),
        owner: info.owner.unwrap_or_default(),
        tags: info.tags,
        since: info.since.unwrap_or_default(),
        deprecated: info.deprecated.unwrap_or_default(),
        message: info.message.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_format_is_refused_and_none_is_json() {
        assert_eq!(format(0).unwrap(), DocumentFormat::Json);
        assert_eq!(format(2).unwrap(), DocumentFormat::Yaml);
        for number in [-1, 3, 99] {
            assert_eq!(format(number).unwrap_err().field(), Some("format"), "{number}");
        }
    }
}
