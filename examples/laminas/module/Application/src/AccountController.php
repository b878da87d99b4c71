<?php

declare(strict_types=1);

namespace Application;

use Laminas\Http\Response;
use Laminas\Mvc\Controller\AbstractActionController;
use Proletarier\ClientInterface;

/**
 * Creates an account, and leaves the rest to the background.
 */
final class AccountController extends AbstractActionController
{
    public function __construct(private ClientInterface $client)
    {
    }

    public function createAction(): Response
    {
        $id = $this->client->trigger('account.created', ['account_id' => random_int(1, 1000)]);
        $response = $this->getResponse();
        $response->setContent("created; event $id\n");

        return $response;
    }
}
