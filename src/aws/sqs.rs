//! SQS: the queue on which a cell's step-up events arrive.

use super::{AwsError, calls::observed};
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::{
    Client,
    config::Config,
    types::{DeleteMessageBatchRequestEntry, QueueAttributeName},
};
use std::time::Duration;

/// Messages of one receive at most; SQS gives no more.
pub const MAX_MESSAGES: i32 = 10;

/// SQS of one region.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    patient: Config,
}

/// A message, ours until its visibility timeout ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// By which it is deleted.
    pub receipt: String,
}

impl Sqs {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        // A receive waits for messages: it may take longer than other calls.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(30))
            .operation_timeout(Duration::from_secs(35))
            .build();
        Self {
            patient: Config::from(config).to_builder().timeout_config(timeouts).build(),
            client: observed!(aws_sdk_sqs, config),
        }
    }

    /// Up to [`MAX_MESSAGES`] messages; waits up to `wait_s` (20 at most) for the first.
    pub async fn receive(&self, queue_url: &str, wait_s: i32) -> Result<Vec<Message>, AwsError> {
        let received = self
            .client
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(MAX_MESSAGES)
            .wait_time_seconds(wait_s)
            .customize()
            .config_override(self.patient.to_builder())
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("sqs:ReceiveMessage", &error))?;
        let message = |message: aws_sdk_sqs::types::Message| {
            Some(Message {
                body: message.body?,
                receipt: message.receipt_handle?,
            })
        };
        Ok(received
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(message)
            .collect())
    }

    /// Deletes messages; the number that SQS did not delete, which will come again.
    pub async fn delete(&self, queue_url: &str, messages: &[Message]) -> Result<usize, AwsError> {
        const OPERATION: &str = "sqs:DeleteMessageBatch";
        let mut left = 0;
        for batch in messages.chunks(10) {
            let mut request = self.client.delete_message_batch().queue_url(queue_url);
            for (index, message) in batch.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&message.receipt)
                    .build()
                    .map_err(|_| AwsError::incomplete(OPERATION, "an entry"))?;
                request = request.entries(entry);
            }
            let deleted = request
                .send()
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
            left += deleted.failed().len();
        }
        Ok(left)
    }

    /// How many messages wait, roughly.
    pub async fn waiting(&self, queue_url: &str) -> Result<u64, AwsError> {
        const OPERATION: &str = "sqs:GetQueueAttributes";
        let read = self
            .client
            .get_queue_attributes()
            .queue_url(queue_url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        read.attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::ApproximateNumberOfMessages))
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a number of messages"))
    }
}
